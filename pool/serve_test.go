package pool

import (
	"bytes"
	"strconv"
	"sync"
	"testing"

	"github.com/ringbeat/ringbeat/mctest"
)

// TestManyRepliesAtOnce: more replies than are handed over in one go come in one
// piece, and their requests get each its own.
func TestManyRepliesAtOnce(t *testing.T) {
	const n = 3*maxBatch + 7
	p := newPool(t, script(t, func(c *peer) {
		for {
			var all bytes.Buffer
			for range n {
				line := c.line()
				if line == "" {
					return
				}
				key := line[len("mg "):bytes.IndexByte([]byte(line[3:]), ' ')+3]
				all.WriteString("VA " + strconv.Itoa(len(key)) + " f0 c1 " + opaque(line) + "\r\n" + key + "\r\n")
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

// TestCallersKeepToTheirConnection: many callers use both connections evenly, and
// each mostly the same one.
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
	if min(a, b) < callers*ops/10 {
		t.Errorf("%d and %d replies: not even", a, b)
	}
	if moves > callers*ops/4 {
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
