package pool

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestLookingIsPaidFor: whatever the waits take, all the time spent on looking stays
// within what they have earned, and no single look is longer than its bounds.
func TestLookingIsPaidFor(t *testing.T) {
	for _, requests := range []int32{1, 8, 64, 1024} {
		var p lookBudget
		var earned, spent time.Duration
		for i := range 1000 {
			wait := time.Duration(i%7) * 100 * time.Microsecond // how long the reply takes
			fair := spinWait + time.Duration(requests)*spinRequest
			earned += fair
			limit := p.earn(requests)
			if limit > maxSpin || limit > spinOnce*fair || requests == 1 && limit > spinWait {
				t.Fatalf("one look for %d requests may take %v", requests, limit)
			}
			d := min(wait, limit)
			spent += d
			p.spend(d)
			if spent > earned {
				t.Fatalf("%v spent of %v earned with %d requests", spent, earned, requests)
			}
		}
		if spent == 0 {
			t.Errorf("nobody looked with %d requests", requests)
		}
	}
}

// TestHabitGivesUpAndTriesAgain: what is in vain is left, but for one try in a while,
// and what succeeds again is taken up.
func TestHabitGivesUpAndTriesAgain(t *testing.T) {
	var h habit
	tries := func(n int, lucky bool) (done int) {
		for range n {
			if h.worth() {
				done++
				h.learn(lucky)
			}
		}
		return done
	}
	if n := tries(10*luckTest, true); n < 8*luckTest {
		t.Errorf("%d tries in %d turns though all succeed", n, 10*luckTest)
	}
	tries(maxLuck, false)
	if n := tries(100*luckTest, false); n < 90 || n > 100 {
		t.Errorf("%d tries in %d turns though all are in vain", n, 100*luckTest)
	}
}

// TestSlowServerIsSeldomLookedFor: a caller who asks it, and others, soon leaves the
// reading to serve. Looking would take his processor, and never find anything.
func TestSlowServerIsSeldomLookedFor(t *testing.T) {
	slow := newPool(t, script(t, func(c *peer) {
		for line := c.line(); line != ""; line = c.line() {
			if !strings.Contains(line, " q ") {
				time.Sleep(2 * time.Millisecond)
				c.say("EN " + opaque(line) + "\r\n")
			}
		}
	}), Config{Conns: 1, Timeout: patience})
	quick := newPool(t, memcached(t), Config{Timeout: patience})
	for range 40 {
		calls := []Call{{Pool: slow, Request: multi("a", "b")}, {Pool: quick, Request: multi("a", "b")}}
		DoAll(background, calls)
		must(t, calls[0].Err)
		must(t, calls[1].Err)
	}
	w := onlyConn(t, slow).wire.(*rawWire)
	within(t, patience, "Close", slow.Close) // now nobody else looks at the habit
	if w.spin.luck > 0 {
		t.Errorf("the habit still says that it is worth it: %+v", w.spin)
	}
}

// TestCallersLeaveProcessorsToServers: only so many callers look at a time, and each
// makes room again.
func TestCallersLeaveProcessorsToServers(t *testing.T) {
	var calls []Call
	for range 2 {
		calls = append(calls, Call{Pool: newPool(t, memcached(t), Config{Timeout: patience}), Request: get("key")})
	}
	var looking, most atomic.Int32
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			mine := slices.Clone(calls)
			mine[0].Request, mine[1].Request = get("key"), get("key")
			for n := range 500 {
				if n%4 == i%4 {
					DoAll(background, mine)
				} else {
					must(t, mine[0].Pool.Do(background, mine[0].Request))
				}
				if beginLook() {
					most.Store(max(most.Load(), looking.Add(1)))
					runtime.Gosched()
					looking.Add(-1)
					endLook()
				}
			}
		})
	}
	callers.Wait()
	if n := lookers.Load(); n != 0 {
		t.Errorf("%d are left of those who looked", n)
	}
	if n := most.Load(); n > maxLookers {
		t.Errorf("%d looked at a time, want at most %d", n, maxLookers)
	}
}

// TestHushedSocketIsHeard: after a multi-get has looked for its reply, so that the socket
// wakes nobody, the reply to whatever comes next still reaches whoever waits for it.
func TestHushedSocketIsHeard(t *testing.T) {
	needTwoProcessors(t)
	slow := func(c *peer) {
		for line := c.line(); line != ""; line = c.line() {
			switch {
			case strings.Contains(line, " q "):
			case strings.HasPrefix(line, "mg b "):
				c.say("EN " + opaque(line) + "\r\n")
			default:
				time.Sleep(5 * time.Millisecond) // all looks are over
				c.sayValue(line, "v")
			}
		}
	}
	p, other := newPool(t, script(t, slow), Config{Conns: 1, Timeout: patience}), newPool(t, memcached(t), Config{Timeout: patience})
	c := onlyConn(t, p)
	w := c.wire.(*rawWire)
	mark := func() (n int) {
		t.Helper()
		must(t, w.rc.Control(func(fd uintptr) {
			n, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
		}))
		return n
	}
	hushed := 0
	for n := range 60 {
		for range 2 * loneReplies { // which also make looking a habit
			calls := []Call{{Pool: p, Request: multi("a", "b")}, {Pool: other, Request: multi("a", "b")}}
			DoAll(background, calls)
			must(t, calls[0].Err)
		}
		c.mu.Lock()
		if c.reader == readerNone { // on a busy machine, looks may be over too soon
			if n, err := w.glance(c.rbuf); n != 0 || err != nil {
				t.Errorf("an idle connection said %d bytes, %v", n, err)
			}
			if n := mark(); n != hushAt {
				t.Errorf("the low-water mark is %d after a glance, want %d", n, hushAt)
			}
			hushed++
		}
		c.mu.Unlock()
		r := get("key")
		within(t, patience/2, "a get", func() {
			if n%12 > 0 {
				must(t, p.Do(background, r))
			} else { // serve waits
				p.Start(background, r)
				must(t, p.Wait(r))
			}
		})
		if got := string(r.Reply.Value); got != "v" {
			t.Fatalf("value %q", got)
		}
		if n := mark(); n != 1 {
			t.Errorf("the low-water mark is %d after a wait", n)
		}
	}
	if hushed == 0 {
		t.Error("somebody read all the time: no socket was left hushed")
	}
}
