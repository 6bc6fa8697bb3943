package mctest

import (
	"sync"
	"time"
)

// parcel is one reply on its way out.
type parcel struct {
	bytes  []byte
	due    time.Time     // not before; zero = at once
	pieces func(int) int // cuts the bytes: how many of the n left come next; nil = all
	gap    time.Duration // between two pieces
	last   ending        // what follows
	rest   []byte        // what follows a stall
	healed <-chan struct{}
}

// ending is what a connection does after a parcel.
type ending uint8

const (
	carryOn ending = iota
	closeIt        // close it, with a FIN
	resetIt        // close it, with an RST
	stall          // nothing more until the faults are healed
)

// queueLimit bounds the memory that waits in one connection's pacer; a connection
// beyond it reads no further requests.
const queueLimit = 1 << 20

// cost is what x takes of the queueLimit.
func (x *parcel) cost() int { return len(x.bytes) + len(x.rest) + 128 }

// pacer sends replies in order, each at its time, in a goroutine of its own, so
// that a delay holds up no request behind it. A connection gets one with its
// first spoiled reply, or at once if its writes wait for the reader (net.Pipe).
type pacer struct {
	c    *conn
	done chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex // guards the fields below
	queue  []parcel
	cost   int
	busy   bool          // a parcel is being sent
	closed bool          // no more will be pushed
	broken bool          // the connection cannot be written to any more
	change chan struct{} // closed and replaced at every change
}

func (c *conn) startPacer() {
	c.pacer = &pacer{c: c, done: make(chan struct{}), change: make(chan struct{})}
	go c.pacer.run()
}

// changed wakes everybody; p.mu is held.
func (p *pacer) changed() {
	close(p.change)
	p.change = make(chan struct{})
}

// idle reports whether nothing waits and nothing is being sent.
func (p *pacer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) == 0 && !p.busy && !p.broken
}

// push queues x, after waiting for room; false means that the connection ended.
func (p *pacer) push(x parcel) bool {
	for {
		p.mu.Lock()
		if p.broken {
			p.mu.Unlock()
			return false
		}
		if p.cost < queueLimit {
			p.queue = append(p.queue, x)
			p.cost += x.cost()
			p.changed()
			p.mu.Unlock()
			return true
		}
		wait := p.change
		p.mu.Unlock()
		select {
		case <-wait:
		case <-p.c.gone:
			return false
		}
	}
}

// finish waits until everything queued is sent, or cannot be.
func (p *pacer) finish() {
	p.mu.Lock()
	p.closed = true
	p.changed()
	p.mu.Unlock()
	<-p.done
}

func (p *pacer) run() {
	defer close(p.done)
	for {
		x, ok := p.next()
		if !ok {
			return
		}
		ok = p.send(x)
		p.mu.Lock()
		p.busy = false
		p.broken = !ok
		p.changed()
		p.mu.Unlock()
		if !ok {
			return
		}
	}
}

// next waits for a parcel; not ok means that there will be none.
func (p *pacer) next() (parcel, bool) {
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			x := p.queue[0]
			p.queue[0] = parcel{}
			p.queue = p.queue[1:]
			p.cost -= x.cost()
			p.busy = true
			p.changed()
			p.mu.Unlock()
			return x, true
		}
		wait, closed := p.change, p.closed
		p.mu.Unlock()
		if closed {
			return parcel{}, false
		}
		select {
		case <-wait:
		case <-p.c.gone:
			return parcel{}, false
		}
	}
}

// send delivers x; false ends the connection.
func (p *pacer) send(x parcel) bool {
	if !x.due.IsZero() && !p.sleep(time.Until(x.due), x.healed) {
		return false
	}
	if !p.sendPieces(x) {
		return false
	}
	switch x.last {
	case closeIt:
		_ = p.c.nc.Close() // the peer may have been faster
		p.c.abort()
		return false
	case resetIt:
		p.c.reset()
		return false
	case stall:
		select {
		case <-x.healed:
		case <-p.c.gone:
			return false
		}
		return p.c.write(x.rest)
	}
	return true
}

func (p *pacer) sendPieces(x parcel) bool {
	for b := x.bytes; len(b) > 0; {
		n := len(b)
		if x.pieces != nil {
			n = x.pieces(n)
		}
		if !p.c.write(b[:n]) {
			return false
		}
		b = b[n:]
		if len(b) > 0 && !p.sleep(x.gap, x.healed) {
			return false
		}
	}
	return true
}

// sleep waits for d, or until the fault is healed; false means the connection
// ended.
func (p *pacer) sleep(d time.Duration, healed <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-healed:
	case <-p.c.gone:
		return false
	}
	return true
}
