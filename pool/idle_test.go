package pool

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/ringbeat/ringbeat/mctest"
)

// sockets counts the TCP sockets to or from addr by their state, as the kernel
// lists them in /proc/net/tcp.
func sockets(t *testing.T, addr string) map[string]int {
	t.Helper()
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Skip("no /proc/net/tcp")
	}
	_, port, _ := net.SplitHostPort(addr)
	n, err := strconv.Atoi(port)
	must(t, err)
	states := map[string]string{"01": "ESTABLISHED", "08": "CLOSE_WAIT"}
	count := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); strings.HasSuffix(f[2], fmt.Sprintf(":%04X", n)) && states[f[3]] != "" {
			count[states[f[3]]]++
		}
	}
	return count
}

// TestServerThatClosesIdleConnectionsCostsNoError: memcached closes what is idle
// for a second. Who comes after three finds a new connection, not the stump of the
// old one.
func TestServerThatClosesIdleConnectionsCostsNoError(t *testing.T) {
	addr := memcached(t, "-o", "idle_timeout=1")
	var mu sync.Mutex
	var told []Failure
	p := newPool(t, addr, Config{Timeout: patience, OnFailure: func(f Failure) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, f)
	}})
	burst := func(n int) {
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				for range n / 10 {
					must(t, p.Do(background, get("key")))
				}
			})
		}
		callers.Wait()
	}
	burst(1000)
	time.Sleep(3 * time.Second)
	eventually(t, "the closed connections are gone", func() bool { return p.Stats().Conns == 0 })
	if n := sockets(t, addr)["CLOSE_WAIT"]; n > 0 {
		t.Errorf("%d sockets in CLOSE_WAIT", n)
	}
	before := p.Stats().Dials
	burst(10_000)
	if p.Stats().Dials == before {
		t.Error("nothing was closed: this test tests nothing")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) > 0 {
		t.Errorf("told of %+v, though only idle connections were closed", told)
	}
}

// TestEndOfAnIdleConnectionIsNoticedAtOnce: whoever used it last, and however long
// ago.
func TestEndOfAnIdleConnectionIsNoticedAtOnce(t *testing.T) {
	for _, rest := range []time.Duration{0, time.Millisecond, 7 * time.Millisecond, 12 * time.Millisecond, time.Minute} {
		for _, calls := range []int{1, 2, 10} {
			synctest.Test(t, func(t *testing.T) {
				s, p := inMemory(t, mctest.Config{}, Config{})
				for range calls {
					must(t, p.Do(background, get("key")))
				}
				time.Sleep(rest)
				must(t, s.Restart())
				time.Sleep(3 * tick)
				if n := p.Stats().Conns; n > 0 {
					t.Errorf("%d calls, %v idle: %d connections seem open after their end", calls, rest, n)
				}
				must(t, p.Do(background, get("key")))
			})
		}
	}
}

// TestIdlePoolDoesNotTick: nothing runs where nothing is under way.
func TestIdlePoolDoesNotTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := inMemory(t, mctest.Config{}, Config{})
		for range 3 {
			must(t, p.Do(background, get("key")))
			time.Sleep(time.Second)
			if p.armed.Load() {
				t.Error("the watchdog still ticks after a second of rest")
			}
		}
	})
}

// inUse returns the bytes in use after a collection, heap and stacks.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestIdleConnectionIsSmall: also after a burst has grown its buffers.
func TestIdleConnectionIsSmall(t *testing.T) {
	addr := memcached(t)
	const pools, conns = 25, 4
	all := make([]*Pool, pools)
	for i := range all {
		all[i] = newPool(t, addr, Config{Conns: conns, Timeout: patience})
	}
	before := inUse()
	big := strings.Repeat("v", 50<<10)
	for _, p := range all {
		rs := make([]*Request, 200)
		for i := range rs {
			rs[i] = set("key", big)
			if i%2 == 0 {
				rs[i] = get("key")
			}
			p.Start(background, rs[i])
		}
		for _, r := range rs {
			must(t, p.Wait(r))
		}
		eventually(t, "the pool rests", func() bool { return !p.armed.Load() })
	}
	open := 0
	for _, p := range all {
		open += p.Stats().Conns
	}
	each := (inUse() - before) / int64(open)
	t.Logf("%d idle connections, %d bytes each", open, each)
	if open < pools*2 || each > 64<<10 {
		t.Errorf("%d connections of %d bytes each, want at most 64 KiB", open, each)
	}
	runtime.KeepAlive(all)
}

// TestRequestInFlightIsSmall: what the pool keeps for each, beside the Request
// itself, which is its caller's.
func TestRequestInFlightIsSmall(t *testing.T) {
	const n = 10_000
	p := newPool(t, script(t, (*peer).stand), Config{Conns: 1, MaxInFlight: n, Timeout: 10 * patience})
	rs := make([]*Request, n)
	for i := range rs {
		rs[i] = get("key")
	}
	before := inUse()
	for _, r := range rs {
		p.Start(background, r)
	}
	eventually(t, "all are under way", func() bool { return p.Stats().InFlight == n })
	each := (inUse() - before) / n
	t.Logf("%d bytes for each of %d requests in flight, beside a Request of %d", each, n, unsafe.Sizeof(Request{}))
	if each > 512 {
		t.Errorf("%d bytes for each in flight, want at most 512", each)
	}
	p.Drain(errors.New("over"))
	for _, r := range rs {
		_ = p.Wait(r)
	}
}
