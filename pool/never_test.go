package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/mctest"
)

// soakOps is how many operations each of the 64 goroutines makes.
func soakOps(t *testing.T) int {
	if s := os.Getenv("RINGBEAT_SOAK_OPS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		return n
	}
	if testing.Short() {
		return 3000
	}
	return 10_000
}

// soakKeys is the number of keys; some have values that travel apart.
const soakKeys = 500

// soakValue is f(key): whoever reads a key must find just this.
func soakValue(i int) string {
	size := 10 + i%90
	switch {
	case i%50 == 7:
		size = 9000 // over the first read buffer's half
	case i%250 == 3:
		size = 70_000 // over LargeValue
	}
	return strings.Repeat(soakKey(i)+";", size/len(soakKey(i))+1)
}

func soakKey(i int) string { return "key" + strconv.Itoa(i) }

// soak is one run of 64 goroutines against a server that misbehaves.
type soak struct {
	p      *Pool
	values [soakKeys]string

	wrong    atomic.Uint64 // another key's value, or none of ours
	answered atomic.Uint64
	misses   atomic.Uint64
	failed   [6]atomic.Uint64 // by cause; see causes
}

var causes = [6]error{ErrTimeout, ErrStalled, ErrConnLost, proto.ErrMalformed, ErrDial, context.DeadlineExceeded}

// TestNeverAnotherKeysValue: whatever the server, the network and the callers do,
// who gets a value gets the value of the key that he asked for.
func TestNeverAnotherKeysValue(t *testing.T) {
	kinds := []struct{ name, version string }{
		{"1.6.18", "1.6.18"}, {"1.6.18 with shared lines", "1.6.18"}, {"1.4.15", "1.4.15"},
	}
	for i, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			srv := mctest.Start(t, mctest.Config{Version: kind.version, MaxBytes: 1 << 30})
			s := &soak{p: newPool(t, srv.Addr(), Config{Timeout: 50 * time.Millisecond})}
			if i == 1 {
				sharing(s.p)
			}
			for i := range s.values {
				s.values[i] = soakValue(i)
				must(t, s.p.Do(background, set(soakKey(i), s.values[i])))
			}
			stop := make(chan struct{})
			var trouble sync.WaitGroup
			trouble.Go(func() { misbehave(srv, stop, faults, forgetful) })
			s.run((soakOps(t) + len(kinds) - 1) / len(kinds))
			close(stop)
			trouble.Wait()
			s.report(t)
		})
	}
}

// run has each caller make so many operations, and more where the server has not yet
// done all that it should have by then.
func (s *soak) run(ops int) {
	var callers sync.WaitGroup
	limit := time.Now().Add(30 * time.Second)
	for seed := range uint64(64) {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			var r Request
			for n := 0; n < ops || n%100 > 0 || !s.seenTrouble() && time.Now().Before(limit); n++ {
				s.once(random, &r)
			}
		})
	}
	callers.Wait()
}

// once makes one operation with a random end to its patience, and uses r again.
func (s *soak) once(random *rand.Rand, r *Request) {
	r.Reset()
	i := random.IntN(soakKeys)
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	switch random.IntN(8) {
	case 0:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(3000))*time.Microsecond)
	case 1:
		r.Timeout = time.Duration(1+random.IntN(20)) * time.Millisecond
	}
	defer cancel()
	r.Key = soakKey(i)
	switch random.IntN(10) {
	case 0, 1:
		r.Op, r.Value = proto.OpSet, []byte(s.values[i])
	case 2:
		r.Op = proto.OpGetMulti
		for range 1 + random.IntN(30) {
			r.Keys = append(r.Keys, soakKey(random.IntN(soakKeys)))
		}
	case 3:
		r.Op, r.Exptime = proto.OpGetAndTouch, 0
	case 4, 5:
		r.Op, r.Dst = proto.OpGetInto, make([]byte, 0, 100)
	default:
		r.Op = proto.OpGet
	}
	switch random.IntN(8) {
	case 0:
		i2 := random.IntN(soakKeys)
		calls := []Call{{Pool: s.p, Request: r}, {Pool: s.p, Request: get(soakKey(i2))}}
		DoAll(ctx, calls)
		s.check(i2, calls[1].Request, calls[1].Err)
		s.check(i, r, calls[0].Err)
		return
	case 1, 2:
		s.p.Start(ctx, r)
		s.check(i, r, s.p.Wait(r))
		return
	}
	s.check(i, r, s.p.Do(ctx, r))
}

// check counts what has come of the operation on key i.
func (s *soak) check(i int, r *Request, err error) {
	if err != nil {
		for k, cause := range causes {
			if errors.Is(err, cause) {
				s.failed[k].Add(1)
			}
		}
		return
	}
	s.answered.Add(1)
	for _, h := range r.Hits {
		if n, _ := strconv.Atoi(strings.TrimPrefix(r.Keys[h.Index], "key")); string(h.Value) != s.values[n] {
			s.wrong.Add(1)
		}
	}
	switch {
	case r.Op == proto.OpSet || r.Op == proto.OpGetMulti:
	case r.Reply.Status == proto.Miss:
		s.misses.Add(1) // a restarted server is empty
	case string(r.Reply.Value) != s.values[i]:
		s.wrong.Add(1)
	}
}

// TestNothingIsMissingThatIsThere: whatever fails, a get misses only what the server
// says it has not. This one has everything.
func TestNothingIsMissingThatIsThere(t *testing.T) {
	srv := mctest.Start(t, mctest.Config{Version: "1.6.18", MaxBytes: 1 << 30})
	s := &soak{p: sharing(newPool(t, srv.Addr(), Config{Timeout: 50 * time.Millisecond}))}
	for i := range s.values {
		s.values[i] = soakValue(i)
		must(t, s.p.Do(background, set(soakKey(i), s.values[i])))
	}
	stop := make(chan struct{})
	var trouble sync.WaitGroup
	trouble.Go(func() { misbehave(srv, stop, faults) })
	s.run(min(soakOps(t), 10_000))
	close(stop)
	trouble.Wait()
	s.report(t)
	if n := s.misses.Load(); n > 0 {
		t.Errorf("%d gets missed what is there", n)
	}
}

// faults is what servers and networks do.
func faults(srv *mctest.Server, random *rand.Rand) []func() {
	return []func(){
		func() { _ = srv.Hang() },
		func() { _ = srv.BlackHole() },
		func() { srv.Reset(1 + random.IntN(500)) },
		func() { srv.ResetDials(2) },
		func() { srv.Garbage(1 + random.IntN(500)) },
		func() { srv.CloseMidReply(1 + random.IntN(500)) },
		func() { srv.StallMidReply(1 + random.IntN(500)) },
		func() { srv.Split() },
		func() { srv.Slow(time.Duration(random.IntN(80)) * time.Millisecond) },
	}
}

// forgetful is faults by which items, or the replies with them, are missing.
func forgetful(srv *mctest.Server, random *rand.Rand) []func() {
	return []func(){
		func() { _ = srv.Restart() },
		func() { srv.Swallow(1 + random.IntN(500)) },
		func() { srv.Repeat(1 + random.IntN(500)) },
	}
}

// misbehave changes the server's faults until stop, at random but the same each
// time.
func misbehave(srv *mctest.Server, stop <-chan struct{}, kinds ...func(*mctest.Server, *rand.Rand) []func()) {
	random := rand.New(rand.NewPCG(1, 2))
	var faults []func()
	for _, kind := range kinds {
		faults = append(faults, kind(srv, random)...)
	}
	pause := time.NewTicker(30 * time.Millisecond)
	defer pause.Stop()
	for round := 0; ; round++ {
		select {
		case <-stop:
			_ = srv.Heal()
			return
		case <-pause.C:
		}
		if round%2 == 0 {
			faults[random.IntN(len(faults))]()
		} else {
			_ = srv.Heal()
		}
	}
}

// seenTrouble reports whether the server has done what this test is about.
func (s *soak) seenTrouble() bool {
	stats := s.p.Stats()
	return stats.Mismatches > 0 && stats.Lost > 0
}

func (s *soak) report(t *testing.T) {
	t.Helper()
	stats := s.p.Stats()
	causesText := ""
	for k, cause := range causes {
		causesText += fmt.Sprintf("; %d %q", s.failed[k].Load(), cause)
	}
	t.Logf("%d answered, %d misses%s; %d connections closed for a mismatch, %d lost, %d dials",
		s.answered.Load(), s.misses.Load(), causesText, stats.Mismatches, stats.Lost, stats.Dials)
	if n := s.wrong.Load(); n > 0 {
		t.Errorf("%d values were another key's", n)
	}
	if s.answered.Load() == 0 || !s.seenTrouble() {
		t.Error("the server has not misbehaved enough, or never answered: this test tests nothing")
	}
	if stats.InFlight > 0 || stats.Waiting > 0 {
		// Slots of requests that timed out may still be there, for a little while.
		eventually(t, "nothing is under way", func() bool {
			now := s.p.Stats()
			return now.InFlight == 0 && now.Waiting == 0
		})
	}
}
