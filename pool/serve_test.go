package pool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// TestManyRepliesAtOnce: more replies than are handed over in one go come in one
// piece, and their requests get each its own.
func TestManyRepliesAtOnce(t *testing.T) {
	const n = 3*maxBatch + 7
	p := newPool(t, script(t, func(c *peer) {
		for {
			var all bytes.Buffer
			for answered := 0; answered < n; {
				words := strings.Fields(c.line())
				switch {
				case len(words) == 0:
					return
				case words[0] == "mg":
					all.WriteString("VA " + strconv.Itoa(len(words[1])) + " f0 c1 " + words[len(words)-1] + "\r\n" + words[1] + "\r\n")
					answered++
				default:
					for _, key := range words[1:] {
						all.WriteString("VALUE " + key + " 0 " + strconv.Itoa(len(key)) + " 1\r\n" + key + "\r\n")
						answered++
					}
					all.WriteString("END\r\n")
				}
			}
			_, _ = c.Write(all.Bytes())
		}
	}), Config{Conns: 1, Timeout: patience})
	rs := make([]*Request, n)
	for i := range rs {
		rs[i] = get("key" + strconv.Itoa(i))
	}
	for range 20 {
		for _, r := range rs {
			p.Start(background, r)
		}
		for _, r := range rs {
			must(t, p.Wait(r))
			if string(r.Reply.Value) != r.Key {
				t.Fatalf("%q has the value %q", r.Key, r.Reply.Value)
			}
		}
	}
	if c := p.small.conns[0].Load(); c.backlog.Load() {
		t.Error("a backlog is left")
	}
}

// TestBacklogIsNobodysTimeout: what lies in the read buffer is no reason to time a
// request out, however long its turn takes to come.
func TestBacklogIsNobodysTimeout(t *testing.T) {
	p := newPool(t, "none", Config{})
	c := newConn(&p.small, &netWire{}, 1, 0)
	c.reader = readerServe
	r := get("key")
	must(t, p.prepare(background, r))
	c.push(r, false)
	c.takeBatch()
	c.backlog.Store(true)
	var f findings
	if c.look(r.expires, false, &f); len(f.ended) > 0 {
		t.Error("a request ended whose reply may lie in the read buffer")
	}
	c.backlog.Store(false)
	if c.look(r.expires, false, &f); len(f.ended) != 1 || len(f.failures) != 1 {
		t.Error("a request without a reply goes on")
	}
}

// TestCallersKeepToTheirConnection: many callers use both connections, and each
// mostly the same one.
func TestCallersKeepToTheirConnection(t *testing.T) {
	p := newPool(t, mctest.Start(t).Addr(), Config{Timeout: patience})
	const callers, ops = 64, 400
	var mu sync.Mutex
	moves := 0
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			r, last, moved := get("key"), uint8(0), 0
			for range ops {
				must(t, p.Do(background, r))
				if r.lane != last {
					last = r.lane
					moved++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			moves += moved
		})
	}
	all.Wait()
	a, b := p.small.conns[0].Load().served.Load(), p.small.conns[1].Load().served.Load()
	t.Logf("%d and %d replies, %d changes of connection", a, b, moves)
	if min(a, b) < callers*ops/50 {
		t.Errorf("%d and %d replies: one connection is hardly used", a, b)
	}
	if moves > callers*ops/20 {
		t.Errorf("%d changes of connection in %d calls", moves, callers*ops)
	}
}

// TestNothingIsLeftOfAConnection: both its goroutines end, whichever of them reads
// when it fails.
func TestNothingIsLeftOfAConnection(t *testing.T) {
	p := newPool(t, mctest.Start(t).Addr(), Config{Timeout: patience, Backoff: 1})
	var conns []*conn
	for range 50 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				r := get("key")
				for range 20 {
					_ = p.Do(background, r)
				}
			})
		}
		all.Wait()
		if c := p.small.conns[0].Load(); c != nil {
			conns = append(conns, c)
		}
		p.Drain(ErrConnLost)
		p.ResetBackoff()
	}
	within(t, patience, "Close, which waits for every goroutine", p.Close)
	twins := 0
	for _, c := range conns {
		if !c.ended || c.head != nil {
			t.Error("a connection is not at its end though the pool is closed")
		}
		if c.twin {
			twins++
		}
	}
	if twins == 0 {
		t.Error("no connection ever had two goroutines: this test tests nothing")
	}
}

// tape is a wire whose replies are all there from the beginning.
type tape struct {
	netWire
	replies []byte
	torn    bool // writes fail
}

func (w *tape) read(b []byte, _ int32) (int, error) {
	if len(w.replies) == 0 {
		return 0, errors.New("torn")
	}
	n := copy(b, w.replies)
	w.replies = w.replies[n:]
	return n, nil
}

func (w *tape) write(b []byte, _ bool) (int, error) {
	if w.torn {
		return 0, errors.New("torn")
	}
	return len(b), nil
}

func (w *tape) unread() bool { return false }
func (w *tape) abort()       {}

// TestWhatHasArrivedIsHandedOverThoughAWriteFails: the replies behind the first batch
// are in our memory when the connection breaks.
func TestWhatHasArrivedIsHandedOverThoughAWriteFails(t *testing.T) {
	const n = maxBatch + 50
	p := newPool(t, "none", Config{})
	w := &tape{}
	c := newConn(&p.small, w, 1, 0)
	c.reader = readerServe
	var rs []*Request
	for i := range n {
		r := get("key")
		must(t, p.prepare(background, r))
		c.push(r, false)
		rs = append(rs, r)
		w.replies = fmt.Appendf(w.replies, "VA 1 f0 c1 O%x\r\nv\r\n", i)
	}
	late := get("late")
	must(t, p.prepare(background, late))
	must(t, c.writeBatches())
	rs[0].Alloc = func(int) []byte { // called while the first batch is handed over
		c.push(late, false)
		w.torn = true
		return nil
	}
	c.wake <- struct{}{}
	c.serve()
	for i, r := range rs {
		if err := p.Wait(r); err != nil {
			t.Fatalf("request %d of %d: %v", i, n, err)
		}
	}
	wantSent(t, p.Wait(late), ErrConnLost, true)
}

// TestNothingIsBelievedBehindALineOutOfStep: what follows such a line may belong to
// the request before.
func TestNothingIsBelievedBehindALineOutOfStep(t *testing.T) {
	for name, c := range map[string]struct {
		r     *Request
		lines int
	}{
		"multi-get of a server before 1.6.10": {multi("a", "b"), 2},
		"refused set":                         {set("a", "mg foo"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, script(t, func(peer *peer) {
				for range c.lines + 1 {
					peer.line()
				}
				peer.say("CLIENT_ERROR no\r\nEN\r\n")
				peer.untilClosed()
			}), Config{Conns: 1, Timeout: patience})
			next := get("c")
			p.Start(background, c.r)
			p.Start(background, next)
			if err := p.Wait(c.r); err == nil {
				t.Error("the refused request has no error")
			}
			if err := p.Wait(next); !errors.Is(err, ErrConnLost) {
				t.Errorf("the next request ends with %v, status %v", err, next.Reply.Status)
			}
		})
	}
}

// firstSticks answers each get with its own key, but on the first connection no longer
// once stuck.
func firstSticks(stuck *atomic.Bool) func(*peer) {
	var conns atomic.Int32
	return func(c *peer) {
		first := conns.Add(1) == 1
		for line := c.line(); line != ""; line = c.line() {
			if first && stuck.Load() {
				c.stand()
				return
			}
			c.sayValue(line, strings.Fields(line)[1])
		}
	}
}

// TestNobodyStaysWithAStuckConnection: one connection of two stops answering. Whoever
// has met it goes to the other.
func TestNobodyStaysWithAStuckConnection(t *testing.T) {
	const callers = 32
	var failed atomic.Int32
	var stuck atomic.Bool
	p := newPool(t, script(t, firstSticks(&stuck)), Config{Timeout: 10 * patience}) // that connection is not condemned
	var settled, all sync.WaitGroup
	settled.Add(callers)
	for range callers {
		all.Go(func() {
			r := get("key")
			for range 300 {
				must(t, p.Do(background, r))
			}
			settled.Done()
			settled.Wait()
			stuck.Store(true)
			for range 40 {
				r.Timeout = 50 * time.Millisecond
				if p.Do(background, r) != nil {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := failed.Load(); n > 3*callers {
		t.Errorf("%d of %d calls failed by one connection", n, 40*callers)
	}
}

// TestIdleConnectionComesFirst, unless it is only between two batches of a crowd, or
// two callers go in step on the other.
func TestIdleConnectionComesFirst(t *testing.T) {
	p := newPool(t, "none", Config{Conns: 2})
	g := &p.small
	a, b := newConn(g, &netWire{}, 1, 0), newConn(g, &netWire{}, 2, 0)
	g.conns[0].Store(a)
	g.conns[1].Store(b)
	t.Cleanup(func() {
		g.conns[0].Store(nil)
		g.conns[1].Store(nil)
	})
	for _, c := range []struct {
		a, b  int32 // requests under way
		crowd bool  // on b
		pair  bool  // on a
		limit int   // of requests on a connection; 0: many
		want  *conn
	}{
		{0, 0, false, false, 0, a},
		{1, 0, false, false, 0, b},
		{1, 0, true, false, 0, a},
		{1, 1, false, false, 0, a},
		{calm, 0, true, false, 0, b},
		{calm, calm - 1, false, false, 0, b},
		{calm + 1, calm, false, false, 0, b},
		{1, 0, false, true, 0, a},
		{2, 0, false, true, 0, b},
		{1, 0, false, true, 1, b},
	} {
		a.inFlight.Store(c.a)
		b.inFlight.Store(c.b)
		b.crowd.Store(c.crowd)
		a.pair.Store(c.pair)
		g.maxInFlight = cmp.Or(c.limit, 1024)
		if got := g.pick(); got != c.want {
			t.Errorf("%+v: connection %d", c, got.id)
		}
	}
}
