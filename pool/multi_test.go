package pool

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/mctest"
)

// TestDarkServerHoldsUpNobodyOnAnother: a caller waits for dark A while his request
// to B is under way. B must answer everybody at once, as if A did not exist.
func TestDarkServerHoldsUpNobodyOnAnother(t *testing.T) {
	for _, wait := range []string{"A first", "B first", "all"} {
		t.Run(wait, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dark, a := inMemory(t, mctest.Config{}, Config{Timeout: time.Second})
				_, b := inMemory(t, mctest.Config{}, Config{Timeout: time.Second, Conns: 1})
				must(t, a.Do(background, get("key")))
				must(t, b.Do(background, get("key")))
				time.Sleep(time.Second) // nobody reads B
				must(t, dark.BlackHole())
				toA, toB := multi("a", "b"), multi("a", "b")
				var all, alone sync.WaitGroup
				if wait == "all" {
					all.Go(func() { doBoth(t, a, b, toA, toB) })
					synctest.Wait()
				} else {
					a.Start(background, toA)
					b.Start(background, toB)
				}
				for range 64 {
					alone.Go(func() {
						for range 10 {
							if d := took(func() { must(t, b.Do(background, get("key"))) }); d > 0 {
								t.Errorf("B made a caller wait %v", d)
							}
						}
					})
				}
				if wait == "B first" {
					must(t, b.Wait(toB))
				}
				if wait != "all" {
					if err := a.Wait(toA); err == nil {
						t.Error("no error from the dark server")
					}
				}
				if wait == "A first" {
					must(t, b.Wait(toB))
				}
				all.Wait()
				alone.Wait()
			})
		})
	}
}

// doBoth asks a dark server and a healthy one.
func doBoth(t *testing.T, dark, healthy *Pool, toDark, toHealthy *Request) {
	calls := []Call{{Pool: dark, Request: toDark}, {Pool: healthy, Request: toHealthy}}
	DoAll(background, calls)
	if calls[0].Err == nil {
		t.Error("no error from the dark server")
	}
	if calls[1].Err != nil {
		t.Error(calls[1].Err)
	}
}

// TestCallerWithSeveralServersReadsForHimself: as long as nobody else comes, no
// goroutine is woken for him, and afterwards nobody holds a role.
func TestCallerWithSeveralServersReadsForHimself(t *testing.T) {
	if !looks {
		t.Skip("callers look for replies on Linux, with two processors or more")
	}
	var calls []Call
	for i := range 3 {
		p := newPool(t, memcached(t), Config{Timeout: patience})
		must(t, p.Do(background, set("a", fmt.Sprint("A", i))))
		calls = append(calls, Call{Pool: p})
	}
	led := 0
	for range 200 {
		for i := range calls {
			calls[i].Request = multi("a", "b")
		}
		DoAll(background, calls)
		for i, c := range calls {
			must(t, c.Err)
			if r := c.Request; len(r.Hits) != 1 || string(r.Hits[0].Value) != fmt.Sprint("A", i) {
				t.Fatalf("server %d: %+v", i, r.Hits)
			}
			if c.Request.leads {
				led++
			}
			if c.Request.led != nil || c.Request.owed != nil {
				t.Fatal("the caller has a role left")
			}
		}
	}
	t.Logf("%d of 600 replies were read by the caller", led)
	if led == 0 {
		t.Error("no reply was read by the caller")
	}
	for _, c := range calls {
		free(t, c.Pool)
	}
}

var looks = runtime.GOOS == "linux" && runtime.GOMAXPROCS(0) > 1

func multi(keys ...string) *Request {
	return &Request{Request: proto.Request{Op: proto.OpGetMulti, Keys: keys}}
}

// TestHealthyServerServesAllWhileAnotherIsDark is the same over real sockets: all
// requests to B are answered, on the connections that it had.
func TestHealthyServerServesAllWhileAnotherIsDark(t *testing.T) {
	dark, healthy := mctest.Start(t), mctest.Start(t)
	a := newPool(t, dark.Addr(), Config{Timeout: 50 * time.Millisecond})
	b := newPool(t, healthy.Addr(), Config{Timeout: 5 * time.Second})
	must(t, a.Do(background, get("key")))
	must(t, dark.BlackHole())
	var both, alone sync.WaitGroup
	var stop atomic.Bool
	var failed, passed atomic.Int32
	for range 8 {
		both.Go(func() {
			for !stop.Load() {
				calls := []Call{{Pool: a, Request: multi("a", "b")}, {Pool: b, Request: multi("a", "b")}}
				DoAll(background, calls)
				if calls[0].Err == nil {
					passed.Add(1)
				}
				if calls[1].Err != nil {
					failed.Add(1)
				}
			}
		})
	}
	began := time.Now()
	for range 64 {
		alone.Go(func() {
			for range 500 {
				if b.Do(background, get("key")) != nil {
					failed.Add(1)
				}
			}
		})
	}
	alone.Wait()
	t.Logf("64 callers made 500 gets each in %v", time.Since(began))
	stop.Store(true)
	both.Wait()
	if failed.Load() > 0 || passed.Load() > 0 {
		t.Errorf("%d calls failed on the healthy server, %d passed on the dark one", failed.Load(), passed.Load())
	}
	if s := b.Stats(); s.Conns > 2 || s.Dials > 2 || s.Timeouts > 0 {
		t.Errorf("%+v", s)
	}
}

// TestStartedRequestsNeedNobodyToWait: they are answered though their caller is
// busy elsewhere.
func TestStartedRequestsNeedNobodyToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := inMemory(t, mctest.Config{}, Config{})
		for range 3 {
			r := get("key")
			p.Start(background, r)
			time.Sleep(time.Hour)
			must(t, p.Wait(r))
			if s := p.Stats(); s.InFlight != 0 || s.Timeouts != 0 {
				t.Fatalf("%+v", s)
			}
		}
	})
}
