package heartbeat

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// grace is how long a reply is looked for after the deadline error, when it is
// taken out of the socket if it is there already. A deadline of zero would not
// let us read at all.
const grace = time.Millisecond

// prober sends the probes of one server, one at a time, over one connection of
// its own. All methods but stop belong to the monitor's goroutine.
type prober struct {
	cfg  *Config
	addr string
	kept net.Conn // nil, or idle and in step
	buf  []byte

	mu      sync.Mutex // guards the fields below
	busy    net.Conn   // in use by a probe
	stopped bool
}

// answer is what one probe found out.
type answer struct {
	event
	rtt     time.Duration
	version string
	stats   *proto.ProbeStats // nil if not asked for or not told
}

// probe sends what p asks for and waits for the verdict. It returns at the
// deadline at the latest, lag aside.
func (p *prober) probe(ctx context.Context, pl plan) answer {
	a := answer{event: event{began: time.Now()}}
	deadline := a.began.Add(pl.timeout)
	conn, old := p.kept, net.Conn(nil)
	p.kept = nil
	if pl.fresh && conn != nil {
		if pl.keep {
			old = conn
		} else {
			discard(conn)
		}
		conn = nil
	}
	a.fresh = conn == nil
	if conn == nil {
		conn, a.err = p.dial(ctx, deadline)
	}
	if a.err == nil {
		a.err = p.ask(conn, pl.stats, deadline, &a)
	}
	a.late = max(0, time.Since(deadline))
	a.kind = p.judge(pl, conn, &a)
	p.keep(conn, old, &a)
	return a
}

// keep leaves the connection to go on with in p.kept and closes the other.
func (p *prober) keep(conn, old net.Conn, a *answer) {
	switch {
	case a.err == nil:
		p.kept = conn
		if old != nil {
			_ = old.Close()
		}
		return
	case conn != nil:
		discard(conn)
	}
	if a.kind == identified {
		a.err = nil
	}
	p.kept = old
	a.second = old != nil
}

// dial opens a connection and logs in.
func (p *prober) dial(ctx context.Context, deadline time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := p.cfg.Dial(ctx)
	if err != nil || p.cfg.Username == "" {
		return conn, err
	}
	login := proto.AppendAuth(nil, p.cfg.Username, p.cfg.Password)
	err = p.exchange(conn, login, deadline, func(b []byte) (bool, error) {
		return proto.ProbeAuth(b)
	})
	if err != nil {
		discard(conn)
		return nil, err
	}
	return conn, nil
}

// ask does the one round trip of a probe.
func (p *prober) ask(conn net.Conn, stats bool, deadline time.Time, a *answer) error {
	sent := time.Now()
	defer func() { a.rtt = time.Since(sent) }()
	if !stats {
		return p.exchange(conn, []byte(proto.ProbeRequest), deadline, func(b []byte) (done bool, err error) {
			a.version, done, err = proto.ProbeVersion(b)
			return done, err
		})
	}
	return p.exchange(conn, []byte(proto.ProbeStatsRequest), deadline, func(b []byte) (bool, error) {
		s, done, err := proto.ParseProbeStats(b)
		if done && err == nil {
			a.stats = &s
		}
		return done, err
	})
}

// errReplied marks a deadline error when the reply was in the socket.
var errReplied = errors.New("heartbeat: reply read after the deadline")

// exchange writes request and reads until parse has seen the whole reply.
func (p *prober) exchange(conn net.Conn, request []byte, deadline time.Time, parse func([]byte) (bool, error)) error {
	if !p.use(conn) {
		return net.ErrClosed
	}
	defer p.use(nil)
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	have := 0
	overtime := error(nil)
	for {
		if have == len(p.buf) {
			p.buf = append(p.buf, make([]byte, 2048)...)
		}
		n, err := conn.Read(p.buf[have:])
		have += n
		if done, wrong := parse(p.buf[:have]); n > 0 && (done || wrong != nil) {
			if wrong == nil && overtime != nil {
				return errReplied
			}
			return wrong
		}
		switch {
		case err == nil || overtime == nil && isTimeout(err):
			if err != nil {
				overtime = err
				_ = conn.SetReadDeadline(time.Now().Add(grace))
			}
		case overtime != nil:
			return overtime
		case errors.Is(err, io.EOF) && have > 0:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
}

// use notes the connection that stop has to interrupt. It reports false when
// stop was called.
func (p *prober) use(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = conn
	return !p.stopped
}

// stop makes a probe under way return at once and later ones fail.
func (p *prober) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.busy != nil {
		_ = p.busy.Close()
	}
}

// judge turns the I/O's result into an event.
func (p *prober) judge(pl plan, conn net.Conn, a *answer) eventKind {
	switch {
	case a.err == nil && pl.stats:
		return identified
	case a.err == nil:
		return good
	case errors.Is(a.err, errReplied):
		a.replied = true
		return timedOut
	case isTimeout(a.err):
		return timedOut
	case conn == nil && isOurs(a.err):
		return ourFault
	case pl.stats && conn != nil && !isReset(a.err):
		// The sign of life was seen a moment ago; this one has no stats, as
		// some proxies.
		return identified
	case !a.fresh && isHangup(a.err):
		return closed
	}
	return failed
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// isHangup reports that the other side closed the connection, which is its
// right while nothing is asked of it.
func isHangup(err error) bool {
	return errors.Is(err, io.EOF) || isReset(err)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// isOurs reports that a dial failed for want of something in this process or
// machine.
func isOurs(err error) bool {
	for _, e := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// discard closes a connection without leaving unsent bytes with the kernel,
// which would keep the socket for minutes when nobody acknowledges them.
func discard(conn net.Conn) {
	inner := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		inner = t.NetConn()
	}
	if l, ok := inner.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = inner.Close()
}

// dialAddr returns the Dial of a plain address.
func dialAddr(addr string) func(context.Context) (net.Conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	// The probes themselves tell whether the connection still works.
	d := net.Dialer{KeepAlive: -1}
	return func(ctx context.Context) (net.Conn, error) {
		return d.DialContext(ctx, network, addr)
	}
}
