package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/pool"
	"github.com/ringbeat/ringbeat/ring"
)

// OnEject says what becomes of the keys of an ejected server.
type OnEject uint8

const (
	// Rehash lets the stand-in serve: the next server on the ring.
	Rehash OnEject = iota
	// FailFast moves no key: operations fail with ErrServerDown within
	// microseconds until the server is back.
	FailFast
)

// String returns the name of the constant.
func (o OnEject) String() string {
	if o == FailFast {
		return "FailFast"
	}
	return "Rehash"
}

// Config sets up a Client. The zero value of each field but Servers is the
// default named with it.
type Config struct {
	// Servers are the members to begin with; see ring.ParseServers for how to
	// write them in one line. A server that is down is no mistake.
	Servers []ring.Server
	// Layout places the keys; "" means ring.Ketama.
	Layout ring.Layout

	// Timeout bounds a whole call, whatever happens; 0 means 200 ms. A context
	// may shorten it.
	Timeout time.Duration
	// AttemptTimeout is how long one server has to answer before another is
	// asked; 0 means half of Timeout. It must leave some of Timeout over.
	AttemptTimeout time.Duration
	// OnEject says who serves the keys of an ejected server; 0 means Rehash.
	OnEject OnEject
	// StandInTTL is the longest life of a value stored on a stand-in, and for
	// how long after an outage a write at home also deletes what the stand-in
	// holds; 0 means 10 s. It is rounded up to whole seconds.
	StandInTTL time.Duration
	// MaxMoved is the number of servers whose keys may be on stand-ins at once;
	// 0 means a third of them but at least 1, negative means no cap. The keys
	// of further servers fail fast.
	MaxMoved int
	// Ramp is the time over which the keys of a readmitted server return, from
	// 10 % at once to all. 0 means all at once.
	Ramp time.Duration

	// Pool sets up the connections. Timeout there means AttemptTimeout if it is
	// 0. Dial, Username, Password and OnFailure belong to the client.
	Pool pool.Config
	// Heartbeat sets up the health checks. Initial, Dial, Username, Password,
	// OnTransition and Readmit belong to the client.
	Heartbeat heartbeat.Config

	// TLS encrypts every connection; nil means none. An empty ServerName means
	// the host of the server's address.
	TLS *tls.Config
	// Username and Password log every connection in where Username is not
	// empty (memcached's ASCII authentication).
	Username, Password string
	// Dial opens connections; nil means a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Logger gets one line for each change of state; nil means silence.
	Logger *zap.Logger
	// OnEvent is told the same as the log. The calls come one at a time from a
	// goroutine of their own, so that a slow one delays nothing but events and
	// Close, which waits for it; it must not call Close itself.
	OnEvent func(Event)
}

// maxHints is the number of hints kept for one server.
const maxHints = 1 << 16

// filled returns the configuration with its defaults, or all that is wrong
// with it.
func (c Config) filled() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("client: "+format, args...)) }
	if c.Timeout < 0 || c.AttemptTimeout < 0 || c.StandInTTL < 0 || c.Ramp < 0 {
		bad("negative duration in Timeout %v, AttemptTimeout %v, StandInTTL %v or Ramp %v",
			c.Timeout, c.AttemptTimeout, c.StandInTTL, c.Ramp)
	}
	fill(&c.Timeout, 200*time.Millisecond)
	fill(&c.AttemptTimeout, c.Timeout/2)
	fill(&c.StandInTTL, 10*time.Second)
	fill(&c.Pool.Timeout, c.AttemptTimeout)
	if c.AttemptTimeout >= c.Timeout {
		bad("AttemptTimeout %v leaves nothing of Timeout %v for a second server", c.AttemptTimeout, c.Timeout)
	}
	if c.OnEject > FailFast {
		bad("unknown OnEject %d", c.OnEject)
	}
	if c.Pool.Dial != nil || c.Pool.Username != "" || c.Pool.Password != "" || c.Pool.OnFailure != nil {
		bad("Pool.Dial, Username, Password and OnFailure belong to the client: set Config.Dial, Username and Password")
	}
	c.Pool.Username, c.Pool.Password = c.Username, c.Password
	h := &c.Heartbeat
	if h.Dial != nil || h.Username != "" || h.Password != "" || h.OnTransition != nil || h.Readmit != nil || h.Initial != 0 {
		bad("Heartbeat.Dial, Username, Password, OnTransition, Readmit and Initial belong to the client")
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
	}
	if p, err := pool.New("localhost", c.Pool); err != nil {
		errs = append(errs, err)
	} else {
		p.Close() // it has not connected: this was for its opinion
	}
	return c, errors.Join(append(errs, h.Validate())...)
}

func fill(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}
