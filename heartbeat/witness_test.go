package heartbeat

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWitnessSeesNothingInAnIdleProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{0, 10 * ms, 20 * ms, time.Second} {
			w := startWitness(20 * ms)
			time.Sleep(d)
			if lag := w.stop(); lag != 0 {
				t.Errorf("lag of %v in %v", lag, d)
			}
		}
	})
}

// TestWitnessSeesABusyProcess has many goroutines per processor that never
// wait. Each runs for 10 ms at a time, so that the witness waits for many times
// that, however fast the machine.
func TestWitnessSeesABusyProcess(t *testing.T) {
	var stop atomic.Bool
	defer stop.Store(true)
	for range 16 * runtime.GOMAXPROCS(0) {
		go func() {
			for !stop.Load() { // spins on purpose
			}
		}()
	}
	w := startWitness(20 * ms)
	time.Sleep(100 * ms)
	if lag := w.stop(); lag <= 20*ms {
		t.Errorf("lag of %v beside %d busy goroutines per processor", lag, 16)
	}
}

// TestWitnessCountsWhatIsOwed: a turn that it should have had before it was stopped, and
// the time until its first one.
func TestWitnessCountsWhatIsOwed(t *testing.T) {
	const owed = 100 * ms
	lag := func(every time.Duration, began time.Time) time.Duration {
		w := witness{quit: make(chan struct{}), lag: make(chan time.Duration, 1)}
		close(w.quit)
		w.watch(every, began)
		return <-w.lag
	}
	for range 64 { // the timer and the end are both there: either may be seen first
		if d := lag(-owed, time.Now()); d < owed {
			t.Fatalf("a lag of %v with a turn overdue by %v", d, owed)
		}
	}
	if d := lag(time.Minute, time.Now().Add(-owed)); d < owed {
		t.Errorf("a lag of %v with a first turn after %v", d, owed)
	}
}
