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
