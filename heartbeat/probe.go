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

// grace is how long a reply is looked for after the deadline error, to take it
// out of the socket if it is there already. With a deadline in the past nothing
// could be read at all.
const grace = time.Millisecond

var (
	errReplied = errors.New("heartbeat: the reply was there when the deadline error was seen")
	errCut     = errors.New("heartbeat: probe cut short")
)

// prober sends the probes of one server, one at a time, over one connection of
// its own. Its methods belong to the monitor's goroutine, but for cut and stop.
type prober struct {
	cfg      *Config
	kept     net.Conn      // nil, or idle and in step
	deadline time.Time     // of the step under way
	lag      time.Duration // of this process during the dial
	buf      []byte
	have     int // bytes of the reply in buf

	mu      sync.Mutex // guards the fields below
	busy    net.Conn   // in use by a probe
	mayCut  bool       // and to be interrupted by cut
	wasCut  bool
	stopped bool
}

// answer is what one probe found out.
type answer struct {
	event
	rtt     time.Duration
	version string
	stats   *proto.ProbeStats // nil if not asked for or not told
}

// probe sends the probe that is planned and waits for the verdict.
func (p *prober) probe(ctx context.Context, next plan) answer {
	a := answer{event: event{began: time.Now()}}
	p.lag = 0
	conn, old := p.kept, net.Conn(nil)
	p.kept = nil
	if next.fresh && conn != nil {
		if next.keep {
			old = conn
		} else {
			discard(conn)
		}
		conn = nil
	}
	a.fresh = conn == nil
	if conn == nil {
		conn, a.err = p.dial(ctx, next.timeout)
	}
	if a.err == nil {
		a.err = p.ask(conn, next, &a)
	}
	a.late = max(0, p.lag, time.Since(p.deadline))
	a.kind, a.replied = classify(next, conn != nil, &a), errors.Is(a.err, errReplied)
	p.keep(conn, old, &a)
	return a
}

// keep decides which connection to go on with, and closes the other.
func (p *prober) keep(conn, old net.Conn, a *answer) {
	if a.err == nil {
		p.kept = conn
		if old != nil {
			_ = old.Close()
		}
		return
	}
	if conn != nil {
		discard(conn)
	}
	p.kept = old
	a.second = old != nil
}

// dial opens a connection and logs in.
func (p *prober) dial(ctx context.Context, timeout time.Duration) (net.Conn, error) {
	p.deadline = time.Now().Add(timeout)
	ctx, cancel := context.WithDeadline(ctx, p.deadline)
	defer cancel()
	w := startWitness(p.cfg.LagLimit)
	conn, err := p.cfg.Dial(ctx)
	p.lag = w.stop()
	if err != nil || p.cfg.Username == "" {
		return conn, err
	}
	login := proto.AppendAuth(nil, p.cfg.Username, p.cfg.Password)
	if err := p.exchange(conn, string(login), timeout, false, proto.ProbeAuth); err != nil {
		discard(conn)
		return nil, err
	}
	return conn, nil
}

// ask does the round trip that the probe is about.
func (p *prober) ask(conn net.Conn, next plan, a *answer) error {
	request, parse := proto.ProbeRequest, func(b []byte) (done bool, err error) {
		a.version, done, err = proto.ProbeVersion(b)
		return done, err
	}
	if next.stats {
		request, parse = proto.ProbeStatsRequest, func(b []byte) (bool, error) {
			s, done, err := proto.ParseProbeStats(b)
			if done && err == nil {
				a.stats = &s
			}
			return done, err
		}
	}
	sent := time.Now()
	err := p.exchange(conn, request, next.timeout, !a.fresh, parse)
	a.rtt = time.Since(sent)
	return err
}

// exchange writes request and reads until parse has seen the whole reply.
func (p *prober) exchange(conn net.Conn, request string, timeout time.Duration, mayCut bool, parse func([]byte) (bool, error)) error {
	p.deadline = time.Now().Add(timeout)
	if err := p.enter(conn, mayCut); err != nil {
		return err
	}
	p.have = 0
	_, err := conn.Write([]byte(request))
	switch {
	case err == nil:
		err = p.read(conn, parse)
	case isTimeout(err):
		// A few bytes always find room in an idle socket. It is this
		// goroutine that was held up on the way to it.
		p.lag = max(p.lag, timeout)
	}
	switch cut := p.leave(); {
	case !isTimeout(err):
		return err
	case cut:
		return errCut
	}
	// The reply may be there all the same, when this goroutine woke up late.
	_ = conn.SetReadDeadline(time.Now().Add(grace))
	switch late := p.read(conn, parse); {
	case late == nil:
		return errReplied
	case isTimeout(late):
		return err
	default:
		return late
	}
}

// read reads on until parse has seen the whole reply.
func (p *prober) read(conn net.Conn, parse func([]byte) (bool, error)) error {
	for {
		if p.have == len(p.buf) {
			p.buf = append(p.buf, make([]byte, 2048)...)
		}
		n, err := conn.Read(p.buf[p.have:])
		p.have += n
		if n > 0 {
			if done, wrong := parse(p.buf[:p.have]); done {
				return wrong
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && p.have > 0:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
}

// enter makes conn known to cut and stop, and sets its deadline.
func (p *prober) enter(conn net.Conn, mayCut bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return net.ErrClosed
	}
	p.busy, p.mayCut, p.wasCut = conn, mayCut, false
	return conn.SetDeadline(p.deadline)
}

// leave reports whether the exchange was cut short.
func (p *prober) leave() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = nil
	return p.wasCut
}

// cut ends a probe that waits on a kept connection: there is reason to ask on a
// fresh one at once. The deadline is set under the lock, as in enter, else it
// could be overwritten there and the probe would be called cut at its end.
func (p *prober) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy != nil && p.mayCut && !p.wasCut {
		p.wasCut = true
		_ = p.busy.SetDeadline(time.Unix(1, 0))
	}
}

// drop closes the connection between two probes.
func (p *prober) drop() {
	if p.kept != nil {
		discard(p.kept)
		p.kept = nil
	}
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

// classify turns the I/O's result into an event.
func classify(next plan, connected bool, a *answer) eventKind {
	switch {
	case a.err == nil && next.stats:
		return identified
	case a.err == nil:
		return good
	case errors.Is(a.err, errCut):
		return cut
	case errors.Is(a.err, errReplied), isTimeout(a.err):
		return timedOut
	case !connected && isOurs(a.err):
		return ourFault
	case connected && next.stats:
		// Some proxies know no stats, and say so or hang up. The sign of
		// life was seen a moment ago.
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
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
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
