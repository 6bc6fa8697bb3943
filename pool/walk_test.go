package pool

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/mctest"
)

// TestEveryCallIsBackInTimeWhateverHappens walks at random through faults, drains
// and calls, in a bubble with exact time. After each walk the pool works as ever.
func TestEveryCallIsBackInTimeWhateverHappens(t *testing.T) {
	walks := uint64(40)
	if testing.Short() {
		walks = 8
	}
	for seed := range walks {
		synctest.Test(t, func(t *testing.T) {
			version := []string{"1.6.18", "1.4.15"}[seed%2]
			s, p := inMemory(t, mctest.Config{Version: version, Seed: seed}, Config{
				Conns: 1 + int(seed%3), MaxInFlight: 1 + int(seed%5)*8, Timeout: 50 * time.Millisecond,
			})
			stop := make(chan struct{})
			var trouble, callers sync.WaitGroup
			trouble.Go(func() { walkFaults(s, p, rand.New(rand.NewPCG(seed, 1)), stop) })
			for i := range uint64(20) {
				callers.Go(func() { walkCalls(t, p, rand.New(rand.NewPCG(seed, 2+i))) })
			}
			callers.Wait()
			close(stop)
			trouble.Wait()
			must(t, s.Heal())
			time.Sleep(3 * time.Second) // what was refused backs off
			for range 10 {
				must(t, p.Do(background, get("key")))
			}
			if st := p.Stats(); st.InFlight+st.Waiting > 0 {
				t.Errorf("left behind: %+v", st)
			}
		})
	}
}

// walkFaults breaks and heals the server until stop.
func walkFaults(s *mctest.Server, p *Pool, random *rand.Rand, stop <-chan struct{}) {
	faults := []func(){
		func() { _ = s.Hang() },
		func() { _ = s.BlackHole() },
		func() { _ = s.Refuse() },
		func() { _ = s.Restart() },
		func() { p.Drain(ErrConnLost) },
		func() { p.ResetBackoff() },
		func() { s.Split() },
		func() { s.Slow(time.Duration(random.IntN(60)) * time.Millisecond) },
		func() { s.Drip(time.Duration(random.IntN(3000)) * time.Microsecond) },
		func() { s.StallMidReply(1 + random.IntN(20)) },
		func() { s.CloseMidReply(1 + random.IntN(20)) },
		func() { s.Garbage(1 + random.IntN(20)) },
		func() { s.Swallow(1 + random.IntN(20)) },
		func() { s.Repeat(1 + random.IntN(20)) },
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(random.IntN(40)) * time.Millisecond):
		}
		if random.IntN(2) == 0 {
			_ = s.Heal()
			continue
		}
		faults[random.IntN(len(faults))]()
	}
}

// walkCalls makes calls of all kinds, each with its own patience.
func walkCalls(t *testing.T, p *Pool, random *rand.Rand) {
	r := &Request{}
	for range 60 {
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		r.Reset()
		r.Key, r.Keys, r.Value = "key", []string{"a", "b", "key"}, []byte("value")
		r.Op = []proto.Op{proto.OpGet, proto.OpSet, proto.OpGetMulti, proto.OpIncrement, proto.OpGetAndTouch}[random.IntN(5)]
		limit := 50 * time.Millisecond
		if random.IntN(2) == 0 {
			limit = time.Duration(1+random.IntN(60)) * time.Millisecond
			r.Timeout = limit
		}
		ctx, cancel := context.WithCancel(background)
		if random.IntN(3) == 0 {
			own := time.Duration(random.IntN(60)) * time.Millisecond
			limit = min(limit, own)
			time.AfterFunc(own, cancel)
		}
		d := took(func() {
			if random.IntN(2) == 0 {
				_ = p.Do(ctx, r)
				return
			}
			p.Start(ctx, r)
			_ = p.Wait(r)
		})
		cancel()
		if d > limit+grace {
			t.Errorf("a call with %v was back after %v", limit, d)
		}
	}
}
