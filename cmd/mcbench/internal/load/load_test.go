package load

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
)

// stalling answers at once, except that no request returns within the hole.
type stalling struct{ from, to time.Time }

func (d *stalling) Do(_ uint64, _ *Scratch, out *measure.Sample) bool {
	if now := time.Now(); !now.Before(d.from) && now.Before(d.to) {
		time.Sleep(d.to.Sub(now))
	}
	out.Hits = 1
	return false
}

func (*stalling) Follow(*Scratch, *measure.Sample) {}

func uniformPlan(t *testing.T, rate float64, n int) pace.Schedule {
	t.Helper()
	s, err := pace.New(pace.Uniform, rate, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func runOpen(t *testing.T, ctx context.Context, plan pace.Schedule, inFlight int, d Doer) (Outcome, *measure.Tally) {
	t.Helper()
	rec := measure.NewRecorder(4, 1)
	out, err := Run(ctx, Config{Schedule: plan, MaxInFlight: inFlight, Grace: time.Minute}, d, rec)
	if err != nil {
		t.Fatal(err)
	}
	return out, rec.Total()
}

// A server that stops for one second of ten under an open loop of 2,000/s: the requests
// due at 4s+x wait 1s-x, which makes p95 = 500 ms, p99 = 900 ms and p99.9 = 990 ms by
// arithmetic.
func TestStalledSecondIsSeenInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stalling{from: time.Now().Add(4 * time.Second), to: time.Now().Add(5 * time.Second)}
		out, tally := runOpen(t, t.Context(), uniformPlan(t, 2000, 20_000), 10_000, d)
		if n := tally.Response.TotalCount(); n != 20_000 || tally.Sent != 20_000 || tally.NotSent != 0 {
			t.Fatalf("%d recorded, %d sent, %d not sent; want 20,000 sent", n, tally.Sent, tally.NotSent)
		}
		for _, c := range []struct {
			p    float64
			want time.Duration
		}{{90, 0}, {95, 500 * time.Millisecond}, {99, 900 * time.Millisecond}, {99.9, 990 * time.Millisecond}, {100, time.Second}} {
			got := measure.At(tally.Response, c.p)
			if diff := math.Abs(got.Seconds() - c.want.Seconds()); diff > 0.001*c.want.Seconds()+1e-6 {
				t.Errorf("p%v = %v, want %v", c.p, got, c.want)
			}
		}
		if lag := measure.Max(tally.Lag); lag > time.Microsecond {
			t.Errorf("the server's stall shows as our own lag: %v", lag)
		}
		if out.Slots != 20_000 || out.Unfinished != 0 {
			t.Errorf("outcome %+v", out)
		}
	})
}

// The same stall with room for 100 requests only: the rest is not sent, and says so.
func TestBeyondTheCapRequestsAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stalling{from: time.Now().Add(4 * time.Second), to: time.Now().Add(5 * time.Second)}
		_, tally := runOpen(t, t.Context(), uniformPlan(t, 2000, 20_000), 100, d)
		if tally.Sent != 18_100 || tally.NotSent != 1900 {
			t.Errorf("%d sent, %d not sent; want 18,100 and 1,900", tally.Sent, tally.NotSent)
		}
	})
}

func TestInterruptedRunKeepsWhatRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second+100*time.Microsecond)
		defer cancel()
		out, tally := runOpen(t, ctx, uniformPlan(t, 1000, 60_000), 100, &stalling{})
		if tally.Sent != 3001 || out.Slots != 3001 || out.Elapsed > 4*time.Second {
			t.Errorf("%d sent, %d slots, %v elapsed; want 3,001 requests", tally.Sent, out.Slots, out.Elapsed)
		}
	})
}

// stuck never returns until its test lets go.
type stuck struct{ free chan struct{} }

func (d *stuck) Do(uint64, *Scratch, *measure.Sample) bool { <-d.free; return false }
func (*stuck) Follow(*Scratch, *measure.Sample)            {}

func TestRequestsThatNeverReturnAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &stuck{free: make(chan struct{})}
		rec := measure.NewRecorder(1, 1)
		out, err := Run(t.Context(), Config{Schedule: uniformPlan(t, 10, 20), MaxInFlight: 100, Grace: time.Second}, d, rec)
		if err != nil || out.Unfinished != 20 || out.Elapsed != 1900*time.Millisecond+time.Second {
			t.Errorf("outcome %+v, error %v; want 20 unfinished after 2.9s", out, err)
		}
		close(d.free)
		synctest.Wait()
	})
}

func TestClosedLoopKeepsItsWorkersBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := measure.NewRecorder(4, 1)
		out, err := Run(t.Context(), Config{Workers: 8, Duration: time.Second, Grace: time.Second}, sleeping(time.Millisecond), rec)
		if err != nil {
			t.Fatal(err)
		}
		tally := rec.Total()
		if tally.Sent != 8000 || out.Elapsed != time.Second {
			t.Errorf("%d requests in %v, want 8,000 in 1s", tally.Sent, out.Elapsed)
		}
	})
}

func TestClosedLoopCountsExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := measure.NewRecorder(4, 1)
		d := &collecting{}
		out, err := Run(t.Context(), Config{Workers: 7, Requests: 1000, FirstSlot: 50, Grace: time.Second}, d, rec)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.slots) != 1000 || d.slots[50] != 1 || d.slots[1049] != 1 || out.Slots != 1000 {
			t.Errorf("%d distinct slots, outcome %+v; want 50..1049 once each", len(d.slots), out)
		}
	})
}

func TestClosedLoopNeedsAnEnd(t *testing.T) {
	if _, err := Run(t.Context(), Config{Workers: 1}, sleeping(0), measure.NewRecorder(1, 1)); !errors.Is(err, ErrNoEnd) {
		t.Errorf("error %v, want ErrNoEnd", err)
	}
}

type sleeping time.Duration

func (d sleeping) Do(uint64, *Scratch, *measure.Sample) bool {
	time.Sleep(time.Duration(d))
	return false
}
func (sleeping) Follow(*Scratch, *measure.Sample) {}

type collecting struct {
	mu    sync.Mutex
	slots map[uint64]int
}

func (d *collecting) Do(slot uint64, _ *Scratch, _ *measure.Sample) bool {
	time.Sleep(time.Millisecond)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slots == nil {
		d.slots = map[uint64]int{}
	}
	d.slots[slot]++
	return false
}

func (*collecting) Follow(*Scratch, *measure.Sample) {}
