package pool

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// allocations of f per call, with p warmed up.
func allocations(f func()) float64 {
	for range 200 {
		f()
	}
	return testing.AllocsPerRun(1000, f)
}

func TestAllocationsPerOperation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p := newPool(t, memcached(t), Config{Timeout: patience})
	must(t, p.Do(background, set("key", "value")))
	dst := make([]byte, 0, 100)
	r := &Request{}
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	keys := slices.Repeat([]string{"key"}, 100)
	for _, c := range []struct {
		name  string
		ctx   context.Context
		req   proto.Request
		most  float64
		start bool
	}{
		{"get into", background, proto.Request{Op: proto.OpGetInto, Key: "key"}, 0, false},
		{"get into, started", background, proto.Request{Op: proto.OpGetInto, Key: "key"}, 0, true},
		{"get into, cancellable", ctx, proto.Request{Op: proto.OpGetInto, Key: "key"}, 1, false},
		{"get", background, proto.Request{Op: proto.OpGet, Key: "key"}, 1, false},
		{"get miss", background, proto.Request{Op: proto.OpGet, Key: "miss"}, 0, false},
		{"get, cancellable", ctx, proto.Request{Op: proto.OpGet, Key: "key"}, 2, false},
		{"set", background, proto.Request{Op: proto.OpSet, Key: "key", Value: []byte("value")}, 0, false},
		{"set, cancellable", ctx, proto.Request{Op: proto.OpSet, Key: "key", Value: []byte("value")}, 1, false},
		{"delete", background, proto.Request{Op: proto.OpDelete, Key: "miss"}, 0, false},
		{"get multi of 10", background, proto.Request{Op: proto.OpGetMulti, Keys: keys[:10]}, 10 + 10, true},
		{"get multi of 100", background, proto.Request{Op: proto.OpGetMulti, Keys: keys}, 100 + 10, true},
	} {
		n := allocations(func() {
			r.Reset()
			r.Request, r.Dst = c.req, dst
			if c.start {
				p.Start(c.ctx, r)
				must(t, p.Wait(r))
				return
			}
			must(t, p.Do(c.ctx, r))
		})
		t.Logf("%s: %v allocations", c.name, n)
		if n > c.most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, n, c.most)
		}
	}
}

// callsPerGet returns how many read and write system calls a get takes with so many
// callers.
func callsPerGet(t *testing.T, p *Pool, callers, each int) float64 {
	t.Helper()
	before := p.Stats()
	var running sync.WaitGroup
	for range callers {
		running.Go(func() {
			r := get("key")
			for range each {
				must(t, p.Do(background, r))
			}
		})
	}
	running.Wait()
	after := p.Stats()
	return float64(after.Reads+after.Writes-before.Reads-before.Writes) / float64(callers*each)
}

// TestSystemCallsPerGet: two for one caller alone, one for many in a crowd.
func TestSystemCallsPerGet(t *testing.T) {
	p := newPool(t, memcached(t, "-t", "2"), Config{Timeout: patience})
	must(t, p.Do(background, set("key", "value")))
	time.Sleep(10 * time.Millisecond)
	alone := callsPerGet(t, p, 1, 5000)
	crowd := callsPerGet(t, p, 64, 2000)
	for range 2 { // where others keep the processors, batches are small
		crowd = min(crowd, callsPerGet(t, p, 64, 2000))
	}
	t.Logf("system calls per get: %.3f at 1 caller, %.3f at 64", alone, crowd)
	if alone > 2.1 {
		t.Errorf("%.3f system calls per get at 1 caller, want at most 2.1", alone)
	}
	if crowd > 0.25 && !raceEnabled {
		t.Errorf("%.3f system calls per get at 64 callers, want at most 0.25", crowd)
	}
	if n := p.Stats().Dials; n > 2 {
		t.Errorf("%d connections for small values", n)
	}
}

func BenchmarkGetInto(b *testing.B) {
	p := newPool(b, memcached(b, "-t", "2"), Config{Timeout: patience})
	must(b, p.Do(background, set("key", string(make([]byte, 100)))))
	r := &Request{Request: proto.Request{Op: proto.OpGetInto, Key: "key"}, Dst: make([]byte, 0, 128)}
	b.ReportAllocs()
	for b.Loop() {
		must(b, p.Do(background, r))
	}
}
