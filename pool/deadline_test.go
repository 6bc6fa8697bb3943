package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/mctest"
)

// grace is by how much a call may overstay its deadline.
const grace = 20 * time.Millisecond

// inMemory makes a pool on a server of its own, both without a network, for a
// bubble.
func inMemory(t *testing.T, srv mctest.Config, cfg Config) (*mctest.Server, *Pool) {
	t.Helper()
	srv.NoListen = true
	s := mctest.Start(t, srv)
	cfg.Dial = func(ctx context.Context) (net.Conn, error) {
		nc, err := s.Dial(ctx, "tcp", "")
		if err != nil {
			return nil, err
		}
		return newBuffered(nc), nil
	}
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, 250*time.Millisecond) // time is exact here
	return s, newPool(t, "in memory", cfg)
}

// took is how long f takes, exactly, in a bubble.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func TestCallReturnsByItsDeadlineWhateverTheServerDoes(t *testing.T) {
	faults := map[string]func(*mctest.Server){
		"hang":            func(s *mctest.Server) { _ = s.Hang() },
		"black hole":      func(s *mctest.Server) { _ = s.BlackHole() },
		"stall mid reply": func(s *mctest.Server) { s.StallMidReply(1) },
		"slow":            func(s *mctest.Server) { s.Slow(time.Hour) },
		"drip":            func(s *mctest.Server) { s.Drip(time.Second) },
		"swallow":         func(s *mctest.Server) { s.Swallow(1) },
	}
	for name, strike := range faults {
		for _, connected := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, connected %v", name, connected), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p := inMemory(t, mctest.Config{}, Config{Timeout: 80 * time.Millisecond})
					if connected {
						free(t, p)
					}
					strike(s)
					comesBack(t, p)
				})
			})
		}
	}
}

// comesBack checks that calls end just by their deadlines: their own, the
// context's, and at once with a cancelled one.
func comesBack(t *testing.T, p *Pool) {
	t.Helper()
	for _, limit := range []time.Duration{time.Millisecond, 30 * time.Millisecond, 80 * time.Millisecond} {
		r := get("key")
		r.Timeout = limit
		var err error
		if d := took(func() { err = p.Do(background, r) }); d > limit+grace || err == nil {
			t.Errorf("a call with %v took %v: %v", limit, d, err)
		}
		ctx, cancel := context.WithTimeout(background, limit)
		d := took(func() { err = p.Do(ctx, get("key")) })
		cancel()
		if d > limit+grace || err == nil {
			t.Errorf("a call whose context has %v took %v: %v", limit, d, err)
		}
	}
}

func TestCallNeverEndsBeforeItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := inMemory(t, mctest.Config{}, Config{Timeout: time.Second})
		must(t, p.Do(background, get("key")))
		must(t, s.Hang())
		for i := range 50 {
			time.Sleep(time.Duration(i*313) * time.Microsecond) // anywhere between two ticks
			r := get("key")
			r.Timeout = 10 * time.Millisecond
			var err error
			if d := took(func() { err = p.Do(background, r) }); d < r.Timeout || !errors.Is(err, ErrTimeout) {
				t.Fatalf("call %d ended after %v: %v", i, d, err)
			}
		}
	})
}

// lateReply has a server answer one request after its caller has gone, and another
// one behind it. give begins the first request and returns a wait for its error.
func lateReply(t *testing.T, give func(*Pool, *Request, context.Context) func() error, leads bool) {
	answer := make(chan struct{})
	p := newPool(t, script(t, func(c *peer) {
		first := c.line()
		for ; first != "" && !strings.Contains(first, "first"); first = c.line() {
			c.sayValue(first, "warm")
		}
		second := c.line()
		if second == "" {
			return
		}
		<-answer
		c.sayValue(first, strings.Repeat("late", 25))
		c.sayValue(second, "second")
		echo(c)
	}), Config{Conns: 1, Timeout: 5 * time.Second})
	free(t, p)
	before := p.Stats().Replies
	dst := make([]byte, 0, 100)
	r := &Request{Request: proto.Request{Op: proto.OpGetInto, Key: "first"}, Dst: dst, Timeout: 10 * time.Millisecond}
	ctx, cancel := context.WithCancel(background)
	wait := give(p, r, ctx)
	second := get("second")
	if !leads {
		p.Start(background, second)
	}
	cancel()
	if err := wait(); err == nil || !err.(*Error).Sent {
		t.Fatalf("the first call: %v", err)
	}
	if leads {
		p.Start(background, second)
	}
	close(answer)
	must(t, p.Wait(second))
	if got := string(second.Reply.Value); got != "second" {
		t.Errorf("the second call got %q", got)
	}
	if got := string(dst[:cap(dst)]); strings.Contains(got, "late") {
		t.Error("a late reply was written into a buffer that is its caller's again")
	}
	must(t, p.Do(background, get("third")))
	if s := p.Stats(); s.Dials != 1 || s.Mismatches != 0 || s.Replies != before+3 || s.InFlight != 0 {
		t.Errorf("the connection has not gone on: %+v", s)
	}
}

func TestLateReplyIsThrownAway(t *testing.T) {
	started := func(p *Pool, r *Request, ctx context.Context) func() error {
		p.Start(ctx, r)
		return func() error { return p.Wait(r) }
	}
	led := func(p *Pool, r *Request, ctx context.Context) func() error {
		return func() error { return p.Do(ctx, r) }
	}
	patient := func(give func(*Pool, *Request, context.Context) func() error) func(*Pool, *Request, context.Context) func() error {
		return func(p *Pool, r *Request, _ context.Context) func() error { return give(p, r, background) }
	}
	t.Run("timed out, started", func(t *testing.T) { lateReply(t, patient(started), false) })
	t.Run("timed out, leading", func(t *testing.T) { lateReply(t, patient(led), true) })
	t.Run("cancelled, started", func(t *testing.T) { lateReply(t, started, false) })
	t.Run("cancelled, leading", func(t *testing.T) {
		lateReply(t, func(p *Pool, r *Request, _ context.Context) func() error {
			ctx, cancel := context.WithTimeout(background, 2*time.Millisecond)
			r.Timeout = 0
			return func() error {
				defer cancel()
				return p.Do(ctx, r)
			}
		}, true)
	})
}

func TestCancelledLeaderLeavesTheConnectionToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := inMemory(t, mctest.Config{}, Config{Conns: 1, Timeout: time.Second})
		free(t, p)
		s.Slow(100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(background, 30*time.Millisecond)
		defer cancel()
		other := make(chan time.Duration)
		go func() {
			time.Sleep(10 * time.Millisecond)
			other <- took(func() { must(t, p.Do(background, get("key"))) })
		}()
		err := p.Do(ctx, get("key"))
		wantSent(t, err, context.DeadlineExceeded, true)
		if d := <-other; d != 100*time.Millisecond {
			t.Errorf("the reply that came after 100ms was handed over after %v", d)
		}
	})
}

func TestStalledHeadClosesTheConnectionUnderAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failures []Failure
		s, p := inMemory(t, mctest.Config{}, Config{
			Conns: 1, Timeout: 50 * time.Millisecond,
			OnFailure: func(f Failure) { failures = append(failures, f) },
		})
		must(t, p.Do(background, get("key")))
		must(t, s.Hang())
		began := time.Now()
		head := get("head")
		p.Start(background, head)
		rs := make([]*Request, 10)
		time.Sleep(30 * time.Millisecond)
		for i := range rs {
			rs[i] = get("behind")
			p.Start(background, rs[i])
		}
		wantSent(t, p.Wait(head), ErrTimeout, true)
		for _, r := range rs {
			wantSent(t, p.Wait(r), ErrStalled, true)
		}
		if d := time.Since(began); d < 50*time.Millisecond || d > 50*time.Millisecond+grace {
			t.Errorf("a head that is due after 50ms was given up after %v", d)
		}
		if len(failures) != 1 || failures[0].Kind != Timeout || failures[0].Count != 1 {
			t.Errorf("told of %+v, want of one timeout", failures)
		}
		must(t, s.Heal())
		must(t, p.Do(background, get("key")))
		if n := p.Stats().Dials; n != 2 {
			t.Errorf("%d dials, want a second for a new connection", n)
		}
	})
}

// TestNotSentMeansNeverCarriedOut: what lies unwritten when a connection is drained
// has not reached the server, and does not reach it later.
func TestNotSentMeansNeverCarriedOut(t *testing.T) {
	drained := make(chan struct{})
	seen := make(chan map[string]bool, 1)
	p := newPool(t, script(t, func(c *peer) {
		<-drained
		keys := map[string]bool{}
		for line := c.line(); line != ""; line = c.line() {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "ms" {
				keys[f[1]] = true
			}
		}
		seen <- keys
	}), Config{Conns: 1, MaxInFlight: 150, Timeout: 5 * time.Second})
	value := strings.Repeat("v", 64<<10)
	rs := make([]*Request, 200)
	for i := range rs {
		rs[i] = set(fmt.Sprint("key", i), value)
		p.Start(background, rs[i])
	}
	eventually(t, "the socket is full", func() bool { return p.Stats().InFlight == 150 && p.Stats().Writes > 0 })
	cause := errors.New("ejected")
	p.Drain(cause)
	close(drained)
	sent, before := make(map[string]bool), true
	for _, r := range rs {
		err := p.Wait(r)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, cause) {
			t.Fatalf("%s: %v", r.Key, err)
		}
		if e.Sent && !before {
			t.Errorf("%s was sent, but not the one before it", r.Key)
		}
		sent[r.Key], before = e.Sent, e.Sent
	}
	if !sent["key0"] || sent["key150"] {
		t.Errorf("sent: first %v, first in the queue %v", sent["key0"], sent["key150"])
	}
	for key := range <-seen {
		if !sent[key] {
			t.Errorf("the server has %s, which was said not to be sent", key)
		}
	}
}

// TestOurOwnStandstillIsNotTheServersFault: our process was stopped for a minute
// while a request was under way, and its reply lies in the socket.
func TestOurOwnStandstillIsNotTheServersFault(t *testing.T) {
	answer := make(chan struct{})
	p := newPool(t, script(t, func(c *peer) {
		c.sayValue(c.line(), "warm")
		line := c.line()
		<-answer
		c.sayValue(line, "v")
		c.untilClosed()
	}), Config{Conns: 1, Timeout: 3 * time.Second})
	must(t, p.Do(background, get("warm")))
	r := get("key")
	p.Start(background, r)
	p.mu.Lock()
	p.lastTick = p.lastTick.Add(-time.Minute)
	p.mu.Unlock()
	eventually(t, "the watchdog has looked", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return time.Since(p.lastTick) < time.Second
	})
	time.Sleep(5 * tick) // and looked again, without being late
	close(answer)
	must(t, p.Wait(r))
}
