package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// Config sets up a Pool. The zero value of each field is the default named with it.
type Config struct {
	// Conns is the number of connections for values of up to LargeValue bytes; 0
	// means 2. They are opened when there is work for them.
	Conns int
	// MaxInFlight bounds the requests under way on one connection; 0 means 1024.
	MaxInFlight int
	// LargeValue is the size in bytes above which a value travels on a connection
	// of its own, so that it does not hold up small ones; 0 means 64 KiB.
	LargeValue int
	// MaxValue is the largest value in bytes that a reply may carry; 0 means 128
	// MiB. A larger one closes the connection.
	MaxValue int
	// Timeout is the time that a request has if it names none; 0 means 100 ms. A
	// connection whose oldest request is overdue by this is closed.
	Timeout time.Duration
	// DialTimeout bounds one dial with greeting and login; 0 means 250 ms.
	DialTimeout time.Duration
	// Backoff is the pause after a failed dial; it doubles up to 1 s, and 20 % of
	// it are random. 0 means 10 ms.
	Backoff time.Duration
	// Dial opens a connection; nil means a net.Dialer on the pool's address.
	Dial func(ctx context.Context) (net.Conn, error)
	// Username and Password log every connection in where Username is not empty
	// (memcached's ASCII authentication, option -Y).
	Username, Password string
	// OnFailure is told about evidence against the server. It is called without
	// locks, by the pool's goroutines or a caller's, and must not block. nil: nobody is told.
	OnFailure func(Failure)
}

const (
	maxBackoff     = time.Second
	maxConns       = 64
	maxMaxInFlight = 1 << 20
)

// filled returns the configuration with its defaults, or what is wrong with it.
func (c Config) filled(addr string) (Config, error) {
	var errs []error
	count := func(name string, v *int, zero, most int) {
		if *v < 0 || *v > most {
			errs = append(errs, fmt.Errorf("pool: %s %d: not between 0 and %d", name, *v, most))
		}
		if *v == 0 {
			*v = zero
		}
	}
	count("Conns", &c.Conns, 2, maxConns)
	count("MaxInFlight", &c.MaxInFlight, 1024, maxMaxInFlight)
	count("LargeValue", &c.LargeValue, 64<<10, 1<<30)
	count("MaxValue", &c.MaxValue, 128<<20, 1<<30)
	span := func(name string, v *time.Duration, zero time.Duration) {
		if *v < 0 {
			errs = append(errs, fmt.Errorf("pool: %s %v: negative", name, *v))
		}
		if *v == 0 {
			*v = zero
		}
	}
	span("Timeout", &c.Timeout, 100*time.Millisecond)
	span("DialTimeout", &c.DialTimeout, 250*time.Millisecond)
	span("Backoff", &c.Backoff, 10*time.Millisecond)
	if c.Username == "" && c.Password != "" {
		errs = append(errs, errors.New("pool: Password without Username"))
	}
	if strings.ContainsAny(c.Username, " \r\n\x00") || strings.ContainsAny(c.Password, "\r\n\x00") {
		errs = append(errs, errors.New("pool: Username or Password with a space or line end"))
	}
	if c.Dial == nil {
		network, address := SplitAddr(addr)
		if address == "" {
			errs = append(errs, errors.New("pool: no address"))
		}
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}
	}
	return c, errors.Join(errs...)
}

// SplitAddr returns the network and address that net.Dial takes: "unix:/path" is a
// unix socket, everything else TCP.
func SplitAddr(addr string) (network, address string) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", path
	}
	return "tcp", addr
}

// check refuses a request that could not be written safely.
func check(r *proto.Request) error {
	switch {
	case r.Op.HasKey():
		return proto.CheckKey(r.Key)
	case r.Op == proto.OpGetMulti:
		if len(r.Keys) == 0 {
			return proto.ErrMalformedKey // a server without meta commands takes offence
		}
		for _, key := range r.Keys {
			if err := proto.CheckKey(key); err != nil {
				return err
			}
		}
	case r.Op == proto.OpStats:
		if strings.ContainsFunc(r.Key, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return fmt.Errorf("memcached: bad stats argument")
		}
	}
	return nil
}
