package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// TestReadersComeAndGoButNobodyWaitsLonger: the server answers each request after
// exactly 10 ms. Whoever reads may lose patience at any moment; all others must
// still have their replies after exactly 10 ms.
func TestReadersComeAndGoButNobodyWaitsLonger(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			s, p := inMemory(t, mctest.Config{}, Config{Conns: 1, Timeout: time.Minute})
			must(t, p.Do(background, get("key")))
			s.Slow(10 * time.Millisecond)
			random := rand.New(rand.NewPCG(seed, 0))
			var callers sync.WaitGroup
			for range 300 {
				time.Sleep(time.Duration(random.IntN(4000)) * time.Microsecond)
				patience := time.Duration(random.IntN(20000)) * time.Microsecond
				cancelled, leads := random.IntN(2) == 0, random.IntN(3) > 0
				callers.Go(func() { impatient(t, p, patience, cancelled, leads) })
			}
			callers.Wait()
		})
	}
}

// impatient makes one call on a server that answers after 10 ms.
func impatient(t *testing.T, p *Pool, patience time.Duration, cancelled, leads bool) {
	ctx, r := background, get("key")
	if cancelled {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(background, patience)
		defer cancel()
	} else {
		r.Timeout = patience
	}
	var err error
	d := took(func() {
		if leads {
			err = p.Do(ctx, r)
			return
		}
		p.Start(ctx, r)
		err = p.Wait(r)
	})
	switch {
	case err == nil && d != 10*time.Millisecond:
		t.Errorf("a reply that came after 10ms was handed over after %v", d)
	case err == nil:
	case !errors.Is(err, ErrTimeout) && !errors.Is(err, context.DeadlineExceeded):
		t.Error(err)
	case d < min(patience, 10*time.Millisecond) || d > patience+grace:
		t.Errorf("%v after %v with %v of patience", err, d, patience)
	case patience > 10*time.Millisecond:
		t.Errorf("%v though the reply came in time", err)
	}
}

// TestNoWakeUpIsLost: callers with and without patience crowd one connection over
// a real socket. Those with patience must all be served.
func TestNoWakeUpIsLost(t *testing.T) {
	p := newPool(t, mctest.Start(t).Addr(), Config{Conns: 1, Timeout: time.Minute})
	ops := 3000
	if testing.Short() {
		ops = 300
	}
	within(t, 3*patience, "all calls", func() {
		var callers sync.WaitGroup
		for seed := range uint64(32) {
			callers.Go(func() {
				random := rand.New(rand.NewPCG(seed, 0))
				r := get("key")
				for range ops {
					hasty(t, p, random, r)
				}
			})
		}
		callers.Wait()
	})
	if s := p.Stats(); s.Dials != 1 || s.Lost+s.Mismatches > 0 {
		t.Errorf("the one connection has not lasted: %+v", s)
	}
}

// hasty makes one call; one in four is cancelled about when its reply comes.
func hasty(t *testing.T, p *Pool, random *rand.Rand, r *Request) {
	ctx := background
	if random.IntN(4) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(background, time.Duration(random.IntN(6000))*time.Microsecond)
		defer cancel()
	}
	var err error
	if random.IntN(3) == 0 {
		p.Start(ctx, r)
		err = p.Wait(r)
	} else {
		err = p.Do(ctx, r)
	}
	if err != nil && (ctx == background || !errors.Is(err, context.DeadlineExceeded)) {
		t.Error(err)
	}
	if random.IntN(200) == 0 {
		time.Sleep(time.Duration(random.IntN(12)) * time.Millisecond) // let the connection rest
	}
}

// TestConnectionsComeAndGoButEveryCallEnds: the same while connections are drained
// and lost.
func TestConnectionsComeAndGoButEveryCallEnds(t *testing.T) {
	srv := mctest.Start(t)
	p := newPool(t, srv.Addr(), Config{Timeout: time.Minute, Backoff: 1})
	stop := make(chan struct{})
	var trouble sync.WaitGroup
	trouble.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				p.Drain(ErrConnLost)
				p.ResetBackoff()
			}
			if i%50 == 0 {
				_ = srv.Restart()
			}
		}
	})
	within(t, 3*patience, "all calls", func() {
		var callers sync.WaitGroup
		for range 32 {
			callers.Go(func() {
				r := get("key")
				for i := range 1000 {
					if i%2 == 0 {
						_ = p.Do(background, r)
					} else {
						p.Start(background, r)
						_ = p.Wait(r)
					}
				}
			})
		}
		callers.Wait()
	})
	close(stop)
	trouble.Wait()
	must(t, srv.Heal())
	eventually(t, "the pool works again", func() bool { return p.Do(background, get("key")) == nil })
}
