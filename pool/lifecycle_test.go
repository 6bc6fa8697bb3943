package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/mctest"
)

// files counts our open file descriptors.
func files(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd")
	}
	return len(all)
}

// TestPoolsComeAndGoWithoutATrace: a thousand servers are added and removed again.
func TestPoolsComeAndGoWithoutATrace(t *testing.T) {
	addr := memcached(t)
	once := func() {
		p, err := New(addr, Config{Timeout: patience})
		must(t, err)
		must(t, p.Do(background, set("key", "value")))
		rs := []*Request{get("key"), get("key"), get("key")}
		for _, r := range rs {
			p.Start(background, r)
		}
		if len(rs)%2 == 1 { // close under requests that are on their way
			p.Close()
		}
		for _, r := range rs {
			_ = p.Wait(r)
		}
	}
	once()
	goroutines, open, memory := runtime.NumGoroutine(), files(t), inUse()
	for range 1000 {
		once()
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	if n := files(t); n > open {
		t.Errorf("%d files open, %d before", n, open)
	}
	if grown := inUse() - memory; grown > 1<<20 {
		t.Errorf("memory has grown by %d bytes", grown)
	}
	if s := sockets(t, addr); s["CLOSE_WAIT"] > 0 || s["ESTABLISHED"] > 0 {
		t.Errorf("sockets left: %v", s)
	}
}

// TestCloseLeavesNoGoroutine, whatever is under way; the bubble would not end with
// one left.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	states := map[string]func(*mctest.Server, *Pool){
		"unused":      func(*mctest.Server, *Pool) {},
		"idle":        func(_ *mctest.Server, p *Pool) { _ = p.Do(background, get("key")) },
		"rested":      func(_ *mctest.Server, p *Pool) { _ = p.Do(background, get("key")); time.Sleep(time.Second) },
		"hung server": func(s *mctest.Server, p *Pool) { _ = p.Do(background, get("key")); _ = s.Hang() },
		"dialling":    func(s *mctest.Server, _ *Pool) { _ = s.BlackHole() },
		"refused":     func(s *mctest.Server, p *Pool) { _ = s.Refuse(); _ = p.Do(background, get("key")) },
	}
	for name, arrive := range states {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := inMemory(t, mctest.Config{}, Config{Timeout: time.Minute, DialTimeout: time.Minute})
				arrive(s, p)
				var callers sync.WaitGroup
				for range 3 {
					callers.Go(func() { _ = p.Do(background, get("key")) })
				}
				synctest.Wait()
				if d := took(p.Close); d > 0 {
					t.Errorf("Close took %v", d)
				}
				callers.Wait()
				wantSent(t, p.Do(background, get("key")), ErrClosed, false)
				p.Close() // again
				s.Close()
				synctest.Wait()
			})
		})
	}
}

// TestCloseWaitsForItsCallbacks: nothing is told of after Close.
func TestCloseWaitsForItsCallbacks(t *testing.T) {
	var closed, late atomic.Bool
	p := newPool(t, freeAddr(t), Config{Timeout: 10 * time.Millisecond, Backoff: 1, OnFailure: func(Failure) {
		if closed.Load() {
			late.Store(true)
		}
	}})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				_ = p.Do(background, get("key"))
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	p.Close()
	closed.Store(true)
	callers.Wait()
	if late.Load() {
		t.Error("told of a failure after Close")
	}
}

// TestDrainReleasesAllWhoWait: 500 requests wait for a hung server, on connections
// and in the queue, when it is ejected.
func TestDrainReleasesAllWhoWait(t *testing.T) {
	s := mctest.Start(t)
	p := newPool(t, s.Addr(), Config{MaxInFlight: 200, Timeout: time.Minute})
	must(t, p.Do(background, get("key")))
	must(t, s.Hang())
	cause := errors.New("ejected")
	var released atomic.Int32
	var waiting sync.WaitGroup
	for range 500 {
		waiting.Go(func() {
			var e *Error
			if err := p.Do(background, get("key")); !errors.Is(err, cause) || !errors.As(err, &e) {
				t.Error(err)
			}
			released.Add(1)
		})
	}
	eventually(t, "all wait", func() bool {
		st := p.Stats()
		return st.InFlight+st.Waiting == 500
	})
	if n := released.Load(); n > 0 {
		t.Fatalf("%d are back before the drain", n)
	}
	began := time.Now()
	p.Drain(cause)
	waiting.Wait()
	t.Logf("500 released in %v", time.Since(began))
	if st := p.Stats(); st.InFlight+st.Waiting+st.Conns != 0 {
		t.Errorf("%+v after a drain", st)
	}
	must(t, s.Heal())
	eventually(t, "the pool connects anew", func() bool { return p.Do(background, get("key")) == nil })
}

// TestDrainOvertakesADial: a connection whose dial began before a drain is not used.
func TestDrainOvertakesADial(t *testing.T) {
	goOn := make(chan struct{})
	var dials atomic.Int32
	dial := scriptDial(echo)
	p := newPool(t, "in memory", Config{Conns: 1, Timeout: patience, DialTimeout: patience, Dial: func(ctx context.Context) (net.Conn, error) {
		if dials.Add(1) == 1 {
			<-goOn
		}
		return dial(ctx)
	}})
	first, second := get("key"), get("key")
	p.Start(background, first)
	eventually(t, "a dial is under way", func() bool { return dials.Load() == 1 })
	p.Drain(ErrConnLost)
	wantSent(t, p.Wait(first), ErrConnLost, false)
	p.Start(background, second)
	close(goOn)
	must(t, p.Wait(second))
	if n := dials.Load(); n != 2 {
		t.Errorf("%d dials, want a second one after the drain", n)
	}
}

// TestRequestMayBeUsedAgainAtOnce: also after it timed out, by another goroutine
// and for another operation, while its late reply is on the way.
func TestRequestMayBeUsedAgainAtOnce(t *testing.T) {
	s := mctest.Start(t)
	p := newPool(t, s.Addr(), Config{Conns: 1, Timeout: patience})
	must(t, p.Do(background, set("a", "value a")))
	must(t, p.Do(background, set("b", "value b")))
	s.Slow(3 * time.Millisecond)
	requests := make(chan *Request, 8)
	for range cap(requests) {
		requests <- &Request{}
	}
	var callers sync.WaitGroup
	for i := range 2 * cap(requests) {
		callers.Go(func() {
			for n := range 100 {
				r := <-requests
				r.Reset()
				r.Op, r.Key = proto.OpGet, string("ab"[i%2])
				if n%2 == 0 {
					r.Timeout = time.Millisecond
				}
				err := p.Do(background, r)
				if err == nil && string(r.Reply.Value) != "value "+r.Key || err != nil && n%2 == 1 {
					t.Errorf("%s: %q, %v", r.Key, r.Reply.Value, err)
				}
				requests <- r
			}
		})
	}
	callers.Wait()
}

// TestCountersOnlyGrow, also while connections come and go.
func TestCountersOnlyGrow(t *testing.T) {
	p := newPool(t, mctest.Start(t).Addr(), Config{Timeout: patience})
	var caller sync.WaitGroup
	stop := make(chan struct{})
	caller.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = p.Do(background, get("key"))
			if i%20 == 0 {
				p.Drain(ErrConnLost)
			}
		}
	})
	last := p.Stats()
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		s := p.Stats()
		if s.Requests < last.Requests || s.Replies < last.Replies || s.Reads < last.Reads || s.Writes < last.Writes || s.Dials < last.Dials {
			t.Errorf("%+v after %+v", s, last)
			break
		}
		last = s
	}
	close(stop)
	caller.Wait()
}

// TestDrainedConnectionIsReset: what lies in the socket of an ejected server must
// not reach it when it is back.
func TestDrainedConnectionIsReset(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	for name, server := range map[string]*tls.Config{"plain": nil, "TLS": {Certificates: []tls.Certificate{pair}}} {
		t.Run(name, func(t *testing.T) {
			goOn, ended := make(chan struct{}), make(chan error, 1)
			addr := scriptOver(t, server, func(c *peer) {
				<-goOn
				_, err := io.Copy(io.Discard, c.r)
				ended <- err
			})
			cfg := Config{Conns: 1, LargeValue: 1 << 30, Timeout: patience, DialTimeout: patience}
			if server != nil {
				cfg.Dial = overTLS(addr, roots)
			}
			p := newPool(t, addr, cfg)
			r := set("key", strings.Repeat("v", 1<<20))
			p.Start(background, r)
			eventually(t, "the set is under way", func() bool { return p.Stats().Writes > 0 })
			p.Drain(ErrConnLost)
			_ = p.Wait(r)
			within(t, patience, "Close", p.Close)
			close(goOn)
			if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the server reads to the end: %v", err)
			}
		})
	}
}
