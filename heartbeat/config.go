package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Config tells a [Monitor] how to probe. The zero value is good for a
// memcached in the same datacenter: a server that goes dark is out within
// 2.1 s without any traffic and within 0.5 s when requests fail too.
type Config struct {
	// Interval is the pause between probes of a healthy server, ±10 %.
	// 0 means 1s.
	Interval time.Duration
	// Timeout bounds each step of a probe: the dial, the login and the round
	// trip. 0 means 250ms.
	Timeout time.Duration
	// SuspectInterval is the pause between probes of a suspect, and after a
	// first good reply of an ejected server. 0 means 100ms.
	SuspectInterval time.Duration
	// Fall is the number of failed probes in a row that eject. 0 means 3.
	Fall int
	// Rise is the number of good replies in a row, each on a fresh
	// connection, that readmit. 0 means 2.
	Rise int
	// EjectedInterval is the first pause between probes of an ejected
	// server, ±20 %; it doubles up to MaxEjectedInterval. 0 means 500ms
	// and 2s.
	EjectedInterval, MaxEjectedInterval time.Duration
	// HoldDown keeps a server out for at least this long after its second
	// ejection; it doubles with each further one up to MaxHoldDown. The first
	// ejection has none. 0 means 2s and 60s; a negative HoldDown means none.
	HoldDown, MaxHoldDown time.Duration
	// Forget is the time without an ejection after which the next one counts
	// as the first again. 0 means 2m.
	Forget time.Duration
	// Renew is the age at which the probe connection is replaced, so that in
	// time every worker thread of memcached gets probed. 0 means 30s.
	Renew time.Duration
	// LagLimit is how late this process may see a deadline error for the
	// probe to count; later ones are repeated. 0 means 20ms.
	LagLimit time.Duration

	// Initial is the state to start in: Healthy, the zero value, believes in
	// the server until probes say otherwise; Probation is for a server added
	// at run time, which serves only after its first good reply.
	Initial State

	// Dial opens a connection to the server; it must honour ctx. nil means a
	// plain dial of the address; "unix:/path" is a unix socket.
	Dial func(ctx context.Context) (net.Conn, error)
	// Username and Password log in on each new connection (memcached's ASCII
	// authentication). An empty Username means none.
	Username, Password string

	// OnTransition is told each change of state, from the monitor's goroutine
	// and without locks, after State and Snapshot show it. It must not block
	// (no probe is sent meanwhile) and must not call Stop.
	OnTransition func(Transition)
	// Readmit makes the server fit to serve again, before the monitor says
	// Healthy: it is the place to replay hinted deletes. It runs in a
	// goroutine of the monitor while probes go on. It must return soon after
	// ctx is done: that is after ReadmitTimeout, when a probe fails, or on
	// Stop. After an error the server stays out and the monitor tries again.
	// Never two calls at a time for one monitor. nil means nothing to do.
	Readmit func(ctx context.Context, i Incarnation) error
	// ReadmitTimeout bounds one call of Readmit. 0 means 10s.
	ReadmitTimeout time.Duration

	// random returns a number in [0,1) for the jitter. Tests make it
	// repeatable.
	random func() float64
}

// Validate reports everything that is wrong with c: durations and counts that
// are negative (but for HoldDown), an Initial state other than Healthy or
// Probation. Start replaces what is wrong by its default.
func (c Config) Validate() error {
	var errs []error
	for _, d := range c.durations() {
		if *d.value < 0 {
			errs = append(errs, fmt.Errorf("heartbeat: %s is negative: %v", d.name, *d.value))
		}
	}
	if c.Fall < 0 {
		errs = append(errs, fmt.Errorf("heartbeat: Fall is negative: %d", c.Fall))
	}
	if c.Rise < 0 {
		errs = append(errs, fmt.Errorf("heartbeat: Rise is negative: %d", c.Rise))
	}
	if c.Initial != Healthy && c.Initial != Probation {
		errs = append(errs, fmt.Errorf("heartbeat: Initial must be healthy or probation, not %v", c.Initial))
	}
	return errors.Join(errs...)
}

type duration struct {
	name  string
	value *time.Duration
	def   time.Duration
}

func (c *Config) durations() []duration {
	return []duration{
		{"Interval", &c.Interval, time.Second},
		{"Timeout", &c.Timeout, 250 * time.Millisecond},
		{"SuspectInterval", &c.SuspectInterval, 100 * time.Millisecond},
		{"EjectedInterval", &c.EjectedInterval, 500 * time.Millisecond},
		{"MaxEjectedInterval", &c.MaxEjectedInterval, 2 * time.Second},
		{"MaxHoldDown", &c.MaxHoldDown, time.Minute},
		{"Forget", &c.Forget, 2 * time.Minute},
		{"Renew", &c.Renew, 30 * time.Second},
		{"LagLimit", &c.LagLimit, 20 * time.Millisecond},
		{"ReadmitTimeout", &c.ReadmitTimeout, 10 * time.Second},
	}
}

// filled returns c with the defaults in place.
func (c Config) filled() Config {
	for _, d := range c.durations() {
		if *d.value <= 0 {
			*d.value = d.def
		}
	}
	if c.HoldDown == 0 {
		c.HoldDown = 2 * time.Second
	}
	if c.Fall <= 0 {
		c.Fall = 3
	}
	if c.Rise <= 0 {
		c.Rise = 2
	}
	if c.Initial != Probation {
		c.Initial = Healthy
	}
	c.MaxEjectedInterval = max(c.MaxEjectedInterval, c.EjectedInterval)
	if c.random == nil {
		c.random = rand.Float64
	}
	return c
}
