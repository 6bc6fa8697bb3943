package mctest

import (
	"errors"
	"net"
	"os"
	"time"
)

// flow is whether connections work.
type flow uint8

const (
	flowing flow = iota
	held         // requests are read and kept, nothing is carried out
	stopped      // nothing is read
)

// reach is what a dial finds.
type reach uint8

const (
	accepting reach = iota
	full            // the backlog is full: dials get no answer
	refusing        // nobody listens
)

// gate is the state that connections and dials look at before they go on. It is
// replaced as a whole; moved is closed when that has happened.
type gate struct {
	flow  flow
	reach reach
	moved chan struct{}
}

// move replaces the gate and wakes all connections; control is held.
func (s *Server) move(f flow, r reach) {
	old := s.gate.Load()
	s.gate.Store(&gate{flow: f, reach: r, moved: make(chan struct{})})
	close(old.moved)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.kick()
	}
}

// The fault switches wake a connection out of Read with a deadline in the past.
// A kick is never lost: the switch first moves the gate and then sets the
// deadline; we first take the deadline away and then look at the gate.

func (c *conn) kick()   { _ = c.raw.SetReadDeadline(time.Unix(1, 0)) }
func (c *conn) unkick() { _ = c.raw.SetReadDeadline(time.Time{}) }

// gatedConn is what TLS reads from: it never sees a kick, and while the server
// does not run it reads nothing, so that no handshake gets through either.
type gatedConn struct {
	net.Conn
	c *conn
}

func (g *gatedConn) Read(b []byte) (int, error) {
	for {
		if now := g.c.s.gate.Load(); now.flow != flowing {
			g.c.park(now)
		}
		if g.c.isGone() {
			return 0, net.ErrClosed
		}
		if g.c.s.gate.Load().flow != flowing {
			continue
		}
		n, err := g.Conn.Read(b)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			g.c.unkick()
			continue
		}
		return n, err
	}
}
