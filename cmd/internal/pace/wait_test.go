package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimerWakesExactlyOnAFakeClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewTimer()
		defer w.Close()
		start := time.Now()
		for i := 1; i <= 5; i++ {
			w.Wait(t.Context(), start.Add(time.Duration(i)*137*time.Microsecond))
			if got := time.Since(start); got != time.Duration(i)*137*time.Microsecond {
				t.Fatalf("wait %d ended after %v", i, got)
			}
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	for name, w := range map[string]Waiter{"timer": NewTimer(), "precise": NewPrecise()} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			w.Wait(ctx, time.Now().Add(time.Hour))
			close(ended)
		}()
		cancel()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: still waiting after its context ended", name)
		}
		w.Close()
	}
}

func TestPreciseIsNeverEarly(t *testing.T) {
	w := NewPrecise()
	defer w.Close()
	for _, d := range []time.Duration{-time.Second, 0, 50 * time.Microsecond, 2 * time.Millisecond, 9 * time.Millisecond} {
		until := time.Now().Add(d)
		w.Wait(t.Context(), until)
		if now := time.Now(); now.Before(until) {
			t.Errorf("woke %v too early for %v", until.Sub(now), d)
		}
	}
}
