package pool

import (
	"math"
	"sync"
	"sync/atomic"
)

// group is the connections for one kind of request, small or large.
type group struct {
	p           *Pool
	large       bool
	maxInFlight int
	conns       []atomic.Pointer[conn] // a connection that may be used, or nil
	dialAfter   []atomic.Int64         // on the pool's clock; never while a dial is under way
	waiting     atomic.Int32           // len(queue)

	mu      sync.Mutex // guards the fields below
	queue   []*Request // in the order of arrival; without a connection yet
	places  []place
	ending  []*conn // no longer in use, but not yet at their end
	retired Stats   // the traffic of those at their end
	epoch   int     // counts drains: a dial from before one is thrown away
}

// place is where a connection is or will be.
type place struct {
	failures int   // dials in a row
	err      error // of the last dial
}

const (
	never = math.MaxInt64
	// maxQueue bounds the requests that wait for room or a connection.
	maxQueue = 64 << 10
	// Where none is idle, the first connection gets calm requests before the next one
	// gets more: the fuller it is, the more requests share its system calls.
	calm = 8
)

func (g *group) init(p *Pool, conns, maxInFlight int) {
	g.p, g.maxInFlight = p, maxInFlight
	g.conns = make([]atomic.Pointer[conn], conns)
	g.dialAfter = make([]atomic.Int64, conns)
	g.places = make([]place, conns)
}

// send puts r on its way: on a connection, or into the queue. Where the result is
// pushedWrite, pushedLead or pushedRead, the caller has work to do on the
// connection.
func (g *group) send(r *Request, mayLead bool) (*conn, pushResult) {
	c, result := g.place(r, mayLead)
	// Looked at again: the watchdog may have gone to rest since prepare, but not
	// without having looked for requests after it said so.
	if !g.p.armed.Load() {
		g.p.arm()
	}
	return c, result
}

func (g *group) place(r *Request, mayLead bool) (*conn, pushResult) {
	if g.waiting.Load() == 0 {
		for range 2 * len(g.conns) {
			c := g.stay(r)
			if c == nil {
				c = g.pick()
			}
			if c == nil {
				break
			}
			if result := c.push(r, mayLead); result != notPushed {
				r.lane = c.lane
				return c, result
			}
			if int(c.inFlight.Load()) >= g.maxInFlight {
				break // the emptiest, or r's own has just become full: admit looks again
			}
		}
	}
	g.wait(r)
	return nil, pushed
}

// stay chooses the connection that r used last, mostly. Requests are reused by
// goroutines of the same processor, so each processor gets a connection of its own,
// whose memory stays in its cache: its reader wakes callers who come back to it. A
// connection that has become too empty for good batches is left, and now and then
// the choice is open, for the balance.
func (g *group) stay(r *Request) *conn {
	if r.turns++; r.turns%openChoice == 0 {
		return nil
	}
	if r.lane == 0 || int(r.lane) > len(g.conns) {
		return nil // r is new here
	}
	c := g.conns[r.lane-1].Load()
	if c == nil {
		return nil
	}
	n := c.inFlight.Load()
	if int(n) >= g.maxInFlight || r.lane > 1 && n < calm/2 {
		return nil
	}
	return c
}

// openChoice is after how many requests the choice of a connection is open.
const openChoice = 64

// pick chooses a connection: the first that is idle, and not just between two batches
// of a crowd, or carries one of a pair; else the first that is calm, else the
// emptiest. It starts a dial where there is no such place and one is free.
func (g *group) pick() *conn {
	var best *conn
	least := int32(math.MaxInt32)
	hole := -1
	for i := range g.conns {
		c := g.conns[i].Load()
		if c == nil {
			if hole < 0 {
				hole = i
			}
			continue
		}
		n := c.inFlight.Load()
		if n == 0 && !c.crowd.Load() || n == 1 && c.pair.Load() && g.maxInFlight > 1 {
			return c
		}
		if n < min(calm, int32(g.maxInFlight)) {
			n = 1
		}
		if n < least {
			least, best = n, c
		}
	}
	if hole >= 0 && g.p.now.Load() >= g.dialAfter[hole].Load() {
		g.dial(hole)
	}
	return best
}

// wait puts r into the queue, unless there is no hope for it.
func (g *group) wait(r *Request) {
	g.mu.Lock()
	err := g.hopeless()
	if err == nil {
		g.queue = append(g.queue, r)
		g.waiting.Store(int32(len(g.queue)))
	}
	g.mu.Unlock()
	if err != nil {
		r.fail(&Error{Err: err})
		return
	}
	g.dialAny()
	g.admit() // room may have come since pick looked
}

// hopeless returns why a request need not wait. The caller holds mu.
func (g *group) hopeless() error {
	if g.p.closed.Load() {
		return ErrClosed
	}
	if len(g.queue) >= maxQueue {
		return ErrBusy
	}
	now := g.p.now.Load()
	var err error
	for i := range g.conns {
		after := g.dialAfter[i].Load()
		if g.conns[i].Load() != nil || after == never || now >= after {
			return nil
		}
		err = g.places[i].err
	}
	return err // every place is backing off after a failed dial
}

// dialAny starts a dial if there is no connection at all.
func (g *group) dialAny() {
	hole := -1
	for i := range g.conns {
		if g.conns[i].Load() != nil {
			return
		}
		switch after := g.dialAfter[i].Load(); {
		case after == never:
			return
		case hole < 0 && g.p.now.Load() >= after:
			hole = i
		}
	}
	if hole >= 0 {
		g.dial(hole)
	}
}

// admit sends waiting requests as long as there is room.
func (g *group) admit() {
	for g.waiting.Load() > 0 {
		if c := g.pick(); c == nil || !c.adopt() {
			return // a reply or the watchdog comes back to them
		}
	}
}

// adopt moves waiting requests to c until it is full. It reports whether there was
// room for any.
func (c *conn) adopt() (some bool) {
	g := c.g
	write := false
	for {
		g.mu.Lock()
		if len(g.queue) == 0 {
			g.mu.Unlock()
			break
		}
		r := g.queue[0]
		result := c.push(r, false)
		if result == notPushed {
			g.mu.Unlock()
			break
		}
		g.queue[0] = nil
		g.queue = g.queue[1:]
		g.waiting.Store(int32(len(g.queue)))
		g.mu.Unlock()
		some = true
		write = write || result == pushedWrite
	}
	if write {
		if err := c.writeBatches(); err != nil {
			c.fail(err)
		}
	}
	return some
}

// lost takes a failed connection out of use. Under mu: a dial for its place must not
// begin between the two steps, or another could begin beside it.
func (g *group) lost(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.conns {
		if !g.conns[i].CompareAndSwap(c, nil) {
			continue
		}
		g.ending = append(g.ending, c)
		if c.served.Load() == 0 {
			g.backOff(i, ErrConnLost) // accepted, then dropped: as bad as a refusal
		} else {
			g.places[i] = place{}
		}
	}
}

// gone is serve's last word.
func (g *group) gone(c *conn) {
	g.retire(c)
	if g.waiting.Load() > 0 {
		g.dialAny()
	}
	g.p.done.Done()
}

// drain ends everything with cause.
func (g *group) drain(cause error) {
	g.mu.Lock()
	g.epoch++
	queue := g.queue
	g.queue = nil
	g.waiting.Store(0)
	g.mu.Unlock()
	for i := range g.conns {
		if c := g.conns[i].Load(); c != nil {
			c.fail(cause)
		}
	}
	for _, r := range queue {
		r.fail(&Error{Err: cause})
	}
}
