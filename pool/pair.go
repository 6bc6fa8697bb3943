package pool

import "runtime"

// A pair is two callers of one server who ask again and again, or one who does, until
// another comes. Left alone, two would miss each other: one writes while the other reads, and whoever waits is woken on
// a processor that has just fallen asleep, which costs more than a request. So
// they share a connection, the one who reads waits a moment for the other before he
// writes, and the other looks for his reply instead of sleeping (ride). Their requests
// then travel in one system call and are answered by one. Each step is a matter of
// speed only: whoever comes late is served like anybody else.
const (
	pairFrom   = 16 // batches in a row that make a pair
	maxFew     = 64 // the most that count
	vain       = 16 // how many of them a wait in vain costs
	pairYields = 16 // how many turns the reader gives his partner
)

// seePair is told how many requests were under way when c.batch was answered. The
// caller of it is the reader and holds mu.
func (c *conn) seePair(under int) {
	c.both = len(c.batch) == 2
	switch {
	case under+c.g.besides(c) > 2 || !c.pairable():
		c.setFew(min(c.few, 0))
	case c.wire.near():
		c.setFew(min(c.few+1, maxFew))
	default:
		c.setFew(max(c.few-1, -maxFew))
	}
}

func (c *conn) setFew(n int) {
	c.few = n
	if pair := n >= pairFrom; pair != c.pair.Load() {
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
	clock := &c.g.p.now
	start := clock.Load()
	if start < c.hurry {
		return
	}
	for range pairYields {
		runtime.Gosched()
		if now := clock.Load(); now-start > int64(tick) {
			c.hurry = now + int64(hurryTime) // others keep the processors
			break
		}
		if c.inFlight.Load() > 1 {
			return
		}
	}
	c.inVain()
}

// inVain is called after a partner's wait in vain.
func (c *conn) inVain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setFew(max(c.few-vain, -maxFew))
}
