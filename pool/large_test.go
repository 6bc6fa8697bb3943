package pool

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"testing"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// TestLargeValueDoesNotHoldUpSmallOnes: the server is in the middle of a large
// reply, and small ones go on: they have a connection of their own.
func TestLargeValueDoesNotHoldUpSmallOnes(t *testing.T) {
	large := strings.Repeat("v", 1<<20)
	goOn := make(chan struct{})
	once := sync.OnceFunc(func() { close(goOn) })
	defer once()
	p := newPool(t, script(t, func(c *peer) {
		for line := c.line(); line != ""; line = c.line() {
			key := strings.Fields(line)[1]
			if key != "large" {
				c.sayValue(line, key)
				continue
			}
			c.say("VA " + fmt.Sprint(len(large)) + " f0 c1 " + opaque(line) + "\r\n" + large[:len(large)/2])
			<-goOn
			c.say(large[len(large)/2:] + "\r\n")
		}
	}), Config{Conns: 1, Timeout: patience})
	p.sizes.add(maphash.String(p.seed, "large")) // learned from an earlier get
	r := get("large")
	p.Start(background, r)
	eventually(t, "the large get is under way", func() bool { return p.Stats().InFlight == 1 })
	within(t, patience/2, "small gets beside a large one", func() {
		for range 1000 {
			must(t, p.Do(background, get("small")))
		}
	})
	if s := p.Stats(); s.Conns != 2 || s.InFlight != 1 {
		t.Errorf("%+v, want one connection for each kind, and the large get under way", s)
	}
	once()
	must(t, p.Wait(r))
	if string(r.Reply.Value) != large {
		t.Errorf("got %d bytes", len(r.Reply.Value))
	}
}

func TestLargeValuesTravelApart(t *testing.T) {
	p := newPool(t, memcached(t, "-I", "2m"), Config{Timeout: patience})
	values := map[string]string{}
	for _, size := range []int{1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 200 << 10, 1 << 20} {
		key := fmt.Sprint("size", size)
		values[key] = strings.Repeat("v", size)
		must(t, p.Do(background, set(key, values[key])))
	}
	for range 3 { // the first get of a large value does not know
		for key, want := range values {
			r := get(key)
			must(t, p.Do(background, r))
			if string(r.Reply.Value) != want {
				t.Errorf("%s: got %d bytes", key, len(r.Reply.Value))
			}
			if large := p.groupFor(get(key)) == &p.large; large != (len(want) > 64<<10) {
				t.Errorf("%s goes to the large ones: %v", key, large)
			}
		}
	}
	r := multi("size1", fmt.Sprint("size", 1<<20))
	must(t, p.Do(background, r))
	if len(r.Hits) != 2 || len(r.Hits[1].Value) != 1<<20 {
		t.Errorf("a multi-get of small and large finds %d", len(r.Hits))
	}
	// A key that has shrunk comes back to the small ones.
	must(t, p.Do(background, set("size200", "small")))
	key := fmt.Sprint("size", 200<<10)
	must(t, p.Do(background, set(key, "small")))
	for range 2 {
		must(t, p.Do(background, get(key)))
	}
	if p.groupFor(get(key)) == &p.large {
		t.Error("a key that has shrunk goes to the large ones for ever")
	}
	if s := p.Stats(); s.Conns > 3 {
		t.Errorf("%d connections, want at most two and one for large values", s.Conns)
	}
}

// TestSmallOnesFlowWhileLargeOnesDo: with real memcached all arrive, on at most
// three connections.
func TestSmallOnesFlowWhileLargeOnesDo(t *testing.T) {
	p := newPool(t, memcached(t, "-I", "2m", "-m", "256"), Config{Timeout: patience})
	large := strings.Repeat("v", 1<<20)
	must(t, p.Do(background, set("large", large)))
	must(t, p.Do(background, set("small", "v")))
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for range 10 {
				r := get("large")
				if i%2 == 0 {
					r = set("large", large)
				}
				if err := p.Do(background, r); err != nil {
					t.Error(err)
				}
			}
		})
		callers.Go(func() {
			for range 500 {
				r := get("small")
				if err := p.Do(background, r); err != nil || string(r.Reply.Value) != "v" {
					t.Errorf("%q, %v", r.Reply.Value, err)
				}
			}
		})
	}
	callers.Wait()
	if s := p.Stats(); s.Dials > 3 || s.Lost > 0 {
		t.Errorf("%+v", s)
	}
}

// TestAnnouncedSizeCostsNothingBeforeItsBytes: memory follows what has arrived, not
// what a server promises, and goes back afterwards.
func TestAnnouncedSizeCostsNothingBeforeItsBytes(t *testing.T) {
	const announced = 100 << 20
	more := make(chan int)
	p := newPool(t, script(t, func(c *peer) {
		c.say("VA " + fmt.Sprint(announced) + " f0 c1 " + opaque(c.line()) + "\r\n")
		for {
			select {
			case n, open := <-more:
				if !open {
					return
				}
				c.say(strings.Repeat("v", n))
			case <-c.ctx.Done():
				return
			}
		}
	}), Config{Conns: 1, Timeout: patience})
	r := get("key")
	p.Start(background, r)
	eventually(t, "the get is under way", func() bool { return p.Stats().Writes > 0 })
	c := p.small.conns[0].Load()
	arrived := 0
	for _, n := range []int{1, 10_000, 100_000, 1_000_000} {
		before := p.Stats().Reads
		more <- n
		arrived += n
		eventually(t, "the bytes are read", func() bool { return p.Stats().Reads > before || n == 1 })
	}
	close(more) // and the connection with it
	if err := p.Wait(r); err == nil {
		t.Error("no error")
	}
	if size := len(c.rbuf); size > 4*arrived {
		t.Errorf("a buffer of %d bytes for %d that have arrived", size, arrived)
	}
}

func TestValueOverTheLimitClosesTheConnection(t *testing.T) {
	p := newPool(t, script(t, func(c *peer) {
		c.say("VA 2000000 f0 c1 " + opaque(c.line()) + "\r\n")
		c.untilClosed()
	}), Config{Conns: 1, Timeout: patience, MaxValue: 1 << 20})
	wantSent(t, p.Do(background, get("key")), proto.ErrMalformed, true)
	if n := p.Stats().Mismatches; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// TestRepliesFasterThanCallersTakeThemKeepMemoryBounded: a thousand callers wait
// for 60 KiB each, and the replies all come at once.
func TestRepliesFasterThanCallersTakeThemKeepMemoryBounded(t *testing.T) {
	value := strings.Repeat("v", 60<<10)
	p := newPool(t, script(t, func(c *peer) {
		for line := c.line(); line != ""; line = c.line() {
			c.sayValue(line, value)
		}
	}), Config{Conns: 1, Timeout: patience})
	rs := make([]*Request, 1000)
	for i := range rs {
		rs[i] = get("key")
		p.Start(background, rs[i])
	}
	for _, r := range rs {
		must(t, p.Wait(r))
		r.Reply.Value = nil
	}
	c := p.small.conns[0].Load()
	p.Drain(ErrConnLost) // the reader's buffer may be looked at when he has gone
	within(t, patience, "Close", p.Close)
	if size := len(c.rbuf); size > maxReadBuf {
		t.Errorf("a read buffer of %d bytes, want at most %d", size, maxReadBuf)
	}
}
