package mctest

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Sizes of a connection's buffers.
const (
	firstBuffer = 4 << 10   // both buffers start at, and go back to, this
	fullBuffer  = 64 << 10  // read at most this much at a time; write at the latest
	keepBuffer  = 256 << 10 // a larger buffer is given back when it is empty
	heldLimit   = 1 << 20   // a hung server reads this much per connection, no more
)

// conn is one connection and the goroutine that serves it: it reads what there
// is, carries out all complete requests, and answers them with one write.
type conn struct {
	s   *Server
	st  *store
	raw net.Conn // what the fault switches close
	nc  net.Conn // raw, or TLS over it

	gone       chan struct{} // closed by abort
	goneOnce   sync.Once
	idle       *time.Timer
	pacer      *pacer // set once a reply has to wait; see pacer
	direct     bool   // writes to nc do not wait for the peer to read
	turnedAway bool   // there are too many connections

	in      []byte
	r, w    int // in[r:w] is not carried out yet
	fresh   bool
	eof     bool
	out     []byte
	swallow int    // bytes of a refused value still to be thrown away
	refusal string // what to say then
	authed  bool

	now    int64 // server second of this batch
	words  [maxTokens][]byte
	key    [maxKeyLen]byte
	counts [numCommands]uint64
	read   uint64
}

func newConn(s *Server, st *store, raw net.Conn, overTLS *tls.Config) *conn {
	c := &conn{
		s: s, st: st, raw: raw, nc: raw,
		gone:   make(chan struct{}),
		in:     make([]byte, firstBuffer),
		authed: len(s.cfg.Auth) == 0,
	}
	switch raw.(type) {
	case *net.TCPConn, *net.UnixConn:
		c.direct = true
	}
	if overTLS != nil {
		c.nc = tls.Server(&gatedConn{Conn: raw, c: c}, overTLS)
	}
	return c
}

// run serves the connection to its end.
func (c *conn) run() {
	if d := c.s.cfg.IdleTimeout; d > 0 {
		c.idle = time.AfterFunc(d, c.kickIdle)
		defer c.idle.Stop()
	}
	for !c.isGone() {
		g := c.s.gate.Load()
		switch {
		case g.flow == held && c.eof && c.r == c.w:
			return
		case g.flow == stopped, g.flow == held && !c.takesMore():
			c.park(g)
		case g.flow == flowing && c.fresh:
			c.fresh = false
			if !c.serve() {
				return
			}
		case c.eof:
			return
		default:
			c.fill()
		}
	}
}

// takesMore reports whether a hung server still takes in requests here. Over TLS
// it does not: a Read that is under way there cannot be called off when the
// server heals, and what is in the buffer already would wait behind it.
func (c *conn) takesMore() bool {
	return !c.eof && c.nc == c.raw && c.w-c.r < heldLimit
}

// end closes the connection after its last reply has left.
func (c *conn) end() {
	if c.pacer != nil {
		c.pacer.finish()
	}
	_ = c.nc.Close() // a peer that is gone already is no news
	c.abort()
}

// park waits until the gate moves.
func (c *conn) park(g *gate) {
	select {
	case <-g.moved:
	case <-c.gone:
	}
}

// fill reads once.
func (c *conn) fill() {
	c.makeRoom()
	n, err := c.nc.Read(c.in[c.w:min(len(c.in), c.w+fullBuffer)])
	c.w += n
	c.read += uint64(n)
	c.fresh = c.fresh || n > 0
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.unkick()
	default:
		c.eof = true
	}
	if c.idle != nil && n > 0 {
		c.idle.Reset(c.s.cfg.IdleTimeout)
	}
}

// makeRoom makes sure that there is something to read into. The buffer doubles
// only when it is full of an incomplete request, whose size step bounds.
func (c *conn) makeRoom() {
	switch {
	case c.r == c.w:
		c.r, c.w = 0, 0
		if cap(c.in) > keepBuffer {
			c.in = make([]byte, fullBuffer)
		}
	case c.w < len(c.in):
		return
	case c.r > 0:
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	default:
		c.in = append(c.in, make([]byte, len(c.in))...)
	}
}

// kickIdle ends a connection that has been silent for too long. A server that
// stands still throws nobody out.
func (c *conn) kickIdle() {
	if c.s.gate.Load().flow != flowing {
		c.idle.Reset(c.s.cfg.IdleTimeout)
		return
	}
	c.st.mu.Lock()
	c.st.n.idleKicks++
	c.st.mu.Unlock()
	_ = c.raw.Close()
	c.abort()
}

// abort lets everything that waits in this connection go.
func (c *conn) abort() { c.goneOnce.Do(func() { close(c.gone) }) }

func (c *conn) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// reset closes the connection with an RST, as the kernel does for a killed
// process with unread input; what we have not sent is lost.
func (c *conn) reset() {
	if l, ok := c.raw.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = c.raw.Close()
	c.abort()
}

// serve carries out the complete requests in the buffer and answers them; false
// ends the connection.
func (c *conn) serve() bool {
	c.now = c.st.clock.now()
	if len(c.in) < fullBuffer && c.w == len(c.in) {
		c.in = append(c.in, make([]byte, len(c.in))...) // the peer sends much: read more at once
	}
	for c.r < c.w {
		mark := len(c.out)
		used, v := c.step(c.in[c.r:c.w])
		c.r += used
		if v == more {
			break
		}
		if f := c.s.faults.Load(); f != nil && v != partly && !c.spoil(f, mark) {
			return false
		}
		if v == hangUp {
			c.flush()
			return false
		}
		if len(c.out) >= fullBuffer && !c.flush() {
			return false
		}
	}
	return c.flush()
}

// flush sends the replies in c.out, unless the server stands still; false ends
// the connection. The counters are settled first: who has read a reply finds its
// request counted.
func (c *conn) flush() bool {
	c.settle()
	if len(c.out) == 0 {
		return true
	}
	ok := c.send()
	if cap(c.out) > keepBuffer {
		c.out = nil
	}
	c.out = c.out[:0]
	return ok
}

// send writes c.out, or queues it behind replies that are waiting.
func (c *conn) send() bool {
	if c.pacer == nil && !c.direct {
		c.startPacer()
	}
	if c.pacer != nil && !(c.direct && c.pacer.idle()) {
		return c.pacer.push(parcel{bytes: append([]byte(nil), c.out...)})
	}
	return c.write(c.out)
}

// write sends b as soon as the gate lets it.
func (c *conn) write(b []byte) bool {
	for {
		g := c.s.gate.Load()
		if g.flow == flowing {
			break
		}
		c.park(g)
		if c.isGone() {
			return false
		}
	}
	_, err := c.nc.Write(b)
	return err == nil
}

// count notes a request.
func (c *conn) count(cmd command) { c.counts[cmd]++ }

// settle adds the connection's counts to the server's.
func (c *conn) settle() {
	n := &c.st.n
	c.st.mu.Lock()
	for i, k := range c.counts {
		n.commands[i] += k
	}
	n.bytesRead += c.read
	n.bytesWritten += uint64(len(c.out))
	c.st.mu.Unlock()
	c.counts = [numCommands]uint64{}
	c.read = 0
}
