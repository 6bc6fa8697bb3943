package pool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// dial starts a dial for place i, unless one is under way there or must wait.
func (g *group) dial(i int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.p.closed.Load() || g.conns[i].Load() != nil || g.p.now.Load() < g.dialAfter[i].Load() {
		return
	}
	g.dialAfter[i].Store(never)
	epoch := g.epoch
	g.p.done.Add(1)
	go g.dialPlace(i, epoch)
}

// dialPlace holds g.p.done until the connection it makes has ended.
func (g *group) dialPlace(i, epoch int) {
	ctx, cancel := context.WithTimeout(g.p.ctx, g.p.cfg.DialTimeout)
	defer cancel()
	g.p.counters.dials.Add(1)
	c, err := g.connect(ctx)
	if err != nil {
		g.dialFailed(i, err)
		g.p.done.Done()
		return
	}
	if !g.install(i, epoch, c) {
		c.wire.abort()
		if g.waiting.Load() > 0 {
			g.dialAny()
		}
		g.p.done.Done()
		return
	}
	g.admit()
	c.serve()
	g.gone(c)
}

// install makes c usable, or says that its dial has been overtaken by a drain.
func (g *group) install(i, epoch int, c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dialAfter[i].Store(0)
	if epoch != g.epoch || g.p.closed.Load() {
		return false
	}
	c.lane = uint8(i + 1)
	g.conns[i].Store(c)
	return true
}

// dialFailed backs the place off, and ends those who wait if there is nothing left
// to wait for.
func (g *group) dialFailed(i int, err error) {
	g.p.counters.dialFailures.Add(1)
	kind := DialFailed
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		kind = DialTimeout
	}
	err = fmt.Errorf("%w: %w", ErrDial, err)
	g.mu.Lock()
	g.backOff(i, err)
	var queue []*Request
	if g.hopeless() != nil {
		queue, g.queue = g.queue, nil
		g.waiting.Store(0)
	}
	g.mu.Unlock()
	if g.p.ctx.Err() == nil {
		g.p.tell(Failure{Kind: kind, Count: 1, Err: err})
	}
	for _, r := range queue {
		r.fail(&Error{Err: err})
	}
}

// backOff lets the next dial for place i wait: twice as long after each failure,
// with a random part so that many clients do not come back at the same moment.
// The caller holds mu.
func (g *group) backOff(i int, err error) {
	pl := &g.places[i]
	pl.err = err
	pause := min(g.p.cfg.Backoff<<min(pl.failures, 20), maxBackoff)
	pl.failures++
	pause = pause*8/10 + rand.N(pause*2/10+1)
	g.dialAfter[i].Store(g.p.now.Load() + int64(pause))
}

func (g *group) resetBackoff() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.places {
		g.places[i] = place{}
		if g.dialAfter[i].Load() != never {
			g.dialAfter[i].Store(0)
		}
	}
}

// connect dials, logs in and learns the dialect.
func (g *group) connect(ctx context.Context) (*conn, error) {
	nc, err := g.p.cfg.Dial(ctx)
	if err != nil {
		return nil, err
	}
	// The dial's context also ends the greeting, which is plain I/O.
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(past) })
	d, err := greet(nc, g.p.cfg.Username, g.p.cfg.Password)
	if err == nil && !stop() {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		stop()
		closeHard(nc)
		return nil, err
	}
	return newConn(g, newWire(nc), g.p.nextConn.Add(1), d), nil
}

// greet logs in where a user is given, and asks for a meta no-op. A server that
// does not know it must at least tell its version: that, an HTTP server and others
// who answer do not.
func greet(nc net.Conn, user, password string) (proto.Dialect, error) {
	if user != "" {
		line, err := ask(nc, proto.AppendAuth(nil, user, password))
		if err != nil {
			return 0, err
		}
		if line != "STORED" {
			return 0, fmt.Errorf("login refused: %q", line)
		}
	}
	line, err := ask(nc, []byte("mn\r\n"))
	if err != nil || line == "MN" {
		return proto.Meta, err
	}
	if line == "ERROR" {
		line, err = ask(nc, []byte("version\r\n"))
		if err != nil {
			return 0, err
		}
		if len(line) > 8 && line[:8] == "VERSION " {
			return proto.Classic, nil
		}
	}
	return 0, fmt.Errorf("no memcached server, or one that refuses us: it says %q", line)
}

// ask sends one command and returns the one line that comes back.
func ask(nc net.Conn, command []byte) (string, error) {
	if _, err := nc.Write(command); err != nil {
		return "", err
	}
	b := make([]byte, 0, 512)
	for len(b) < cap(b) {
		n, err := nc.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if end := bytes.Index(b, []byte("\r\n")); end >= 0 {
			if end+2 < len(b) && bytes.HasPrefix(b, []byte("MN")) {
				return "", fmt.Errorf("more than asked for: %q", b)
			}
			return string(b[:min(end, 100)]), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("no line end in %q", b[:60])
}
