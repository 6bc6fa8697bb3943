package pool

import (
	"runtime"
	"time"
)

// A pair is two callers of one server who ask again and again, or one who does, until
// another comes. Left alone, two would miss each other: one writes while the other
// reads, and whoever waits is woken on a processor that has just fallen asleep, which
// costs more than a request. So they share a connection, the one who reads waits a
// moment for the other before he writes, and the other looks for his reply instead of
// sleeping (ride). Their requests then travel in one system call and are answered by
// one. Each step is a matter of speed only: whoever comes late is served like anybody
// else.
const (
	pairFrom   = 16               // batches in a row that make a pair
	maxFew     = 64               // the most that count
	vain       = 16               // how many of them a wait in vain costs
	pairYields = 16               // how many turns the reader gives his partner
	minPause   = 256              // batches before the next try, where others keep the processors;
	maxPause   = 32 << 10         // it doubles each time
	hogged     = time.Millisecond // a wait that took longer says that they do
)

// seePair is told how many requests were under way when c.batch was answered. The
// caller of it is the reader and holds mu.
func (c *conn) seePair(under int) {
	c.both = len(c.batch) == 2
	switch {
	case under+c.g.besides(c) > 2 || !c.pairable():
		c.setFew(min(c.few, 0))
	case c.wire.near():
		if c.few == maxFew && c.both {
			c.pause /= 2 // the pair is a good one
		}
		c.setFew(c.few + 1)
	default:
		c.setFew(c.few - 1)
	}
}

func (c *conn) setFew(n int) {
	c.few = min(max(n, -maxPause), maxFew)
	if pair := c.few >= pairFrom; pair != c.pair.Load() {
		c.pair.Store(pair)
	}
}

// pairable says that the callers of c.batch wait for one reply each. Those of
// multi-gets look at several connections.
func (c *conn) pairable() bool {
	for i := range c.batch {
		if r := c.batch[i].req; r == nil || !r.mayLead || len(r.Keys) > 0 {
			return false
		}
	}
	return true
}

// besides returns how many requests are under way on the other connections.
func (g *group) besides(c *conn) int {
	n := 0
	for i := range g.conns {
		if o := g.conns[i].Load(); o != nil && o != c {
			n += int(o.inFlight.Load())
		}
	}
	return n
}

// awaitPartner waits for the request of the one who was answered together with the
// caller's last, if he comes soon. The caller holds the reader role and the
// writer role.
func (c *conn) awaitPartner() {
	if !c.both || !c.pair.Load() {
		return
	}
	c.both = false
	start := time.Now()
	for range pairYields {
		runtime.Gosched()
		if c.inFlight.Load() > 1 {
			break
		}
		if time.Since(start) > spinWait {
			c.inVain(time.Since(start))
			return
		}
	}
	if d := time.Since(start); d > hogged || c.inFlight.Load() < 2 {
		c.inVain(d)
	}
}

// inVain is called after a partner's wait in vain, or one in which others kept the
// processor for long: where those are many, each wait costs a slice of each of theirs,
// and it is long before callers are a pair again.
func (c *conn) inVain(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > hogged {
		c.pause = min(max(2*c.pause, minPause), maxPause)
		c.setFew(-c.pause)
	} else {
		c.setFew(c.few - vain)
	}
}
