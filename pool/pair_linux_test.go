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
					if r.mayLead = true; s.multi {
						r = multi("a", "b")
					}
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
		c.both = true // nobody is under way: the reader's field is ours
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
	pairUp(c)
	ctx, cancel := context.WithCancel(background)
	var reader sync.WaitGroup
	reader.Go(func() {
		if err := p.Do(ctx, get("a")); !errors.Is(err, context.Canceled) {
			t.Errorf("the reader got %v", err)
		}
	})
	eventually(t, "the reader waits", func() bool { return c.inFlight.Load() == 1 })
	r := get("b")
	r.Timeout = 20 * time.Millisecond
	within(t, patience, "the rider", func() {
		err := p.Do(background, r)
		wantSent(t, err, ErrTimeout, true)
	})
	if !r.rides {
		t.Error("the second one of a pair did not ride")
	}
	if c.pair.Load() && c.few > maxFew-vain {
		t.Error("a ride in vain cost nothing")
	}
	cancel()
	reader.Wait()
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
}
