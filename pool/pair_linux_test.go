package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// needTwoProcessors skips where callers do not look for replies.
func needTwoProcessors(t *testing.T) {
	t.Helper()
	if maxLookers == 0 {
		t.Skip("needs two processors")
	}
}

// pairUp makes the next requests on c those of a pair, whatever came before.
func pairUp(c *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setFew(maxFew)
}

// TestPairIsMadeAndLeft feeds the reader with what it has seen, batch by batch.
func TestPairIsMadeAndLeft(t *testing.T) {
	type seen struct {
		batch, under, elsewhere int
		near, multi             bool
	}
	two := seen{batch: 2, under: 2, near: true}
	for _, tt := range []struct {
		name string
		what seen
		want bool
	}{
		{"two together", two, true},
		{"one of two", seen{batch: 1, under: 2, near: true}, true},
		{"one here, one on another connection", seen{batch: 1, under: 1, elsewhere: 1, near: true}, true},
		{"three here", seen{batch: 2, under: 3, near: true}, false},
		{"three on two connections", seen{batch: 2, under: 2, elsewhere: 1, near: true}, false},
		{"a distant server", seen{batch: 2, under: 2}, false},
		{"multi-gets", seen{batch: 2, under: 2, near: true, multi: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, other := &rawWire{}, &conn{}
			c := &conn{wire: w, g: &group{conns: make([]atomic.Pointer[conn], 2)}}
			c.g.conns[1].Store(other)
			see := func(s seen, times int) bool {
				if w.spin.luck = 0; s.near {
					w.spin.luck = maxLuck
				}
				other.inFlight.Store(int32(s.elsewhere))
				c.batch = nil
				for range s.batch {
					r := get("key")
					if s.multi {
						r = multi("a", "b")
					}
					r.mayLead = true
					c.batch = append(c.batch, outcome{req: r})
				}
				for range times {
					c.seePair(s.under)
				}
				return c.pair.Load()
			}
			if see(tt.what, pairFrom-1) {
				t.Error("a pair too early")
			}
			if got := see(tt.what, 1); got != tt.want {
				t.Errorf("a pair: %v, want %v", got, tt.want)
			}
			if !see(two, maxFew) {
				t.Error("no pair after many batches of two")
			}
			if got := see(tt.what, 3*maxFew); got != tt.want {
				t.Errorf("still a pair: %v, want %v", got, tt.want)
			}
		})
	}
}

// TestPartnerWhoStaysAway: a pair whose one half has gone costs the other some yields
// at a time, and soon nothing.
func TestPartnerWhoStaysAway(t *testing.T) {
	p := newPool(t, memcached(t), Config{Conns: 1, Timeout: patience})
	c := onlyConn(t, p)
	pairUp(c)
	for n := 0; c.pair.Load(); n++ {
		if n > maxFew {
			t.Fatal("still a pair after so many waits in vain")
		}
		c.mu.Lock()
		if c.reader == readerNone { // its fields are ours
			c.both = true
			c.wire.(*rawWire).spin.luck = maxLuck
		}
		c.mu.Unlock()
		must(t, p.Do(background, get("key")))
	}
}

// TestRiderIsReleased: the one who looks for a reply that his partner reads is subject
// to his own time and his own context.
func TestRiderIsReleased(t *testing.T) {
	needTwoProcessors(t)
	hung := script(t, func(p *peer) { p.sayValue(p.line(), "v"); p.untilClosed() })
	p := newPool(t, hung, Config{Conns: 1, Timeout: patience})
	c := onlyConn(t, p)
	ctx, cancel := context.WithCancel(background)
	var reader sync.WaitGroup
	reader.Go(func() {
		if err := p.Do(ctx, get("a")); !errors.Is(err, context.Canceled) {
			t.Errorf("the reader got %v", err)
		}
	})
	eventually(t, "the reader waits", func() bool { return c.inFlight.Load() == 1 })
	// Once by his context, and once by his own time.
	pairUp(c)
	r := get("b")
	own, cancelOwn := context.WithCancel(background)
	time.AfterFunc(20*time.Millisecond, cancelOwn)
	within(t, patience, "the rider", func() {
		if err := p.Do(own, r); !errors.Is(err, context.Canceled) {
			t.Errorf("the rider got %v", err)
		}
	})
	if !r.rides {
		t.Error("the second one of a pair did not ride")
	}
	c.mu.Lock()
	if c.few != -minPause {
		t.Errorf("%d left after so long a ride, want %d", c.few, -minPause)
	}
	c.mu.Unlock()
	pairUp(c)
	r.Timeout = 20 * time.Millisecond
	within(t, patience, "the rider", func() {
		wantSent(t, p.Do(background, r), ErrTimeout, true)
	})
	cancel()
	reader.Wait()
	if n := riders.Load(); n != 0 {
		t.Errorf("%d riders are left", n)
	}
}

// TestOthersKeepTheProcessors: a long wait ends a pair for a number of batches that
// doubles each time, and that pairs who do well soon bring down again.
func TestOthersKeepTheProcessors(t *testing.T) {
	c := &conn{wire: &rawWire{spin: habit{luck: maxLuck}}, g: &group{}}
	for want := minPause; want < 4*maxPause; want *= 2 {
		pairUp(c)
		c.inVain(2 * hogged)
		if c.few != -min(want, maxPause) || c.pair.Load() {
			t.Fatalf("%d left, want %d", c.few, -min(want, maxPause))
		}
	}
	pairUp(c)
	for range 16 {
		c.batch = []outcome{{req: &Request{mayLead: true}}, {req: &Request{mayLead: true}}}
		c.seePair(2)
	}
	if c.pause != 0 || !c.pair.Load() {
		t.Errorf("pause %d, pair %v after good batches", c.pause, c.pair.Load())
	}
}

// TestLongRideParts: whose reply took so long looks for a connection of his own.
func TestLongRideParts(t *testing.T) {
	var gate atomic.Pointer[chan struct{}]
	p := newPool(t, script(t, func(c *peer) {
		for line := c.line(); line != ""; line = c.line() {
			if g := gate.Load(); g != nil {
				<-*g
			}
			c.sayValue(line, "v")
		}
	}), Config{Conns: 1, Timeout: patience})
	c := onlyConn(t, p)
	g := make(chan struct{})
	gate.Store(&g)
	first, second := get("a"), get("b")
	var callers sync.WaitGroup
	callers.Go(func() { must(t, p.Do(background, first)) })
	eventually(t, "the first is under way", func() bool { return c.inFlight.Load() == 1 })
	pairUp(c)
	callers.Go(func() { must(t, p.Do(background, second)) })
	eventually(t, "the second is under way", func() bool { return c.inFlight.Load() == 2 })
	time.Sleep(5 * hogged)
	close(g)
	within(t, patience, "both", callers.Wait)
	if !second.rides || second.lane != 0 || first.lane == 0 {
		t.Errorf("rode %v, stays with connection %d; the first one with %d", second.rides, second.lane, first.lane)
	}
}

// TestSoManyLook: a rider looks for a short while, if not too many do already.
func TestSoManyLook(t *testing.T) {
	needTwoProcessors(t)
	r := get("key")
	r.done = make(chan struct{}, 1)
	if !r.lookDone(time.Now()) {
		t.Error("a look for what does not come was not in vain")
	}
	riders.Add(maxLookers)
	if r.lookDone(time.Now()) {
		t.Error("one more looked than may")
	}
	riders.Add(-maxLookers)
	r.done <- struct{}{}
	if r.lookDone(time.Now()) || len(r.done) == 0 {
		t.Error("what had come was not seen, or taken")
	}
	if n := riders.Load(); n != 0 {
		t.Errorf("%d riders are left", n)
	}
}

// TestPairs has two callers of a real server who come and go, with little time, and
// with contexts that end: each gets his own value or his own error.
func TestPairs(t *testing.T) {
	p := newPool(t, memcached(t), Config{Timeout: patience})
	for i := range 100 {
		must(t, p.Do(background, set(soakKey(i), soakValue(i))))
	}
	for try := 0; !pairs(t, p) && try < 3; try++ {
		t.Log("once more: on a busy machine looks are seldom lucky, and nobody rode")
	}
}

// pairs reports whether one of them rode.
func pairs(t *testing.T, p *Pool) bool {
	var callers sync.WaitGroup
	var rides, good [2]int
	for who := range 2 {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(who), 1))
			for n := range 20_000 {
				i := random.IntN(100)
				r := get(soakKey(i))
				ctx, cancel := background, func() {}
				switch n % 512 {
				case 100:
					r.Timeout = time.Duration(random.IntN(50)) * time.Microsecond
				case 200:
					ctx, cancel = context.WithTimeout(background, time.Duration(random.IntN(50))*time.Microsecond)
				case 300:
					time.Sleep(time.Millisecond)
				case 400:
					runtime.Gosched()
				}
				err := p.Do(ctx, r)
				cancel()
				if r.rides {
					rides[who]++
				}
				if err != nil {
					continue
				}
				good[who]++
				if got := string(r.Reply.Value); got != soakValue(i) {
					t.Errorf("%s has the value %.20q", r.Key, got)
				}
			}
		})
	}
	within(t, time.Minute, "the pair", callers.Wait)
	t.Logf("rides %v", rides)
	if good[0] < 19_000 || good[1] < 19_000 {
		t.Errorf("only %v of 20,000 were answered", good)
	}
	if n := riders.Load(); n != 0 {
		t.Errorf("%d riders are left", n)
	}
	return rides[0]+rides[1] > 0
}

// TestPairsReadForThemselves: serve leaves the reading to a pair as to a lone caller.
func TestPairsReadForThemselves(t *testing.T) {
	for _, pair := range []bool{true, false} {
		c := serverless(t)
		if pair {
			pairUp(c)
		}
		for range 2 {
			r := get("key")
			must(t, c.g.p.prepare(background, r))
			c.push(r, true)
		}
		c.takeBatch()
		c.batch = make([]outcome, 2)
		few := c.few
		c.claim()
		if c.few != min(few-1, maxFew) { // the server is not near
			t.Errorf("claim left %d of %d: it did not tell seePair", c.few, few)
		}
		if got := c.lone == 1; got != pair {
			t.Errorf("pair %v: two replies in a row are as good as one of a lone caller: %v", pair, got)
		}
	}
}

// TestRetryLeavesAStuckConnection: a request that has timed out is under way still, as
// far as the queue knows. That must not look like a partner.
func TestRetryLeavesAStuckConnection(t *testing.T) {
	var stuck atomic.Bool
	p := newPool(t, script(t, firstSticks(&stuck)), Config{Conns: 2, Timeout: 10 * patience}) // that connection is not condemned
	must(t, p.Do(background, get("key")))
	first := p.small.conns[0].Load()
	p.small.dial(1)
	eventually(t, "the second connection is there", func() bool { return p.small.conns[1].Load() != nil })
	if first == nil {
		t.Fatal("the first connection is not in the first place")
	}
	pairUp(first)
	stuck.Store(true)
	r := get("key")
	for try := 0; ; try++ {
		r.Timeout = 50 * time.Millisecond
		err := p.Do(background, r)
		if err != nil && try == 0 {
			break
		}
		if try == 100 {
			t.Fatal("nobody met the stuck connection")
		}
	}
	r.Timeout = patience
	within(t, patience/2, "the retry", func() { must(t, p.Do(background, r)) })
}
