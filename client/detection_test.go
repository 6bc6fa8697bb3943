package client_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/heartbeat"
)

// A server without traffic of its own that goes dark is out within 2.1 s, whatever
// happens elsewhere and however many servers there are.
func TestDetectionDoesNotDependOnTheOthers(t *testing.T) {
	for _, n := range []int{2, 3, 8, 64} {
		for _, rate := range []int{0, 2, 10, 50} {
			t.Run(fmt.Sprintf("%d servers, %d requests/s", n, rate), func(t *testing.T) {
				inWorld(t, n, client.Config{}, func(w *world) {
					defer close(w.traffic("cache1", rate))
					time.Sleep(3 * time.Second)
					began := time.Now()
					must(t, w.servers[0].Hang())
					w.awaitState("cache0", heartbeat.Ejected, began.Add(2100*time.Millisecond))
				})
			})
		}
	}
}

// With requests that time out the server is out within half a second.
func TestRequestsSpeedUpDetection(t *testing.T) {
	for _, n := range []int{2, 64} {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			inWorld(t, n, client.Config{}, func(w *world) {
				defer close(w.traffic("cache0", 50))
				time.Sleep(3 * time.Second)
				began := time.Now()
				must(t, w.servers[0].Hang())
				w.awaitState("cache0", heartbeat.Ejected, began.Add(500*time.Millisecond))
			})
		})
	}
}

// traffic sends so many gets per second to a server until stop is closed.
func (w *world) traffic(server string, rate int) (stop chan struct{}) {
	stop = make(chan struct{})
	if rate == 0 {
		return stop
	}
	keys := w.keys(server, 20)
	go func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				go func() { _, _ = w.c.Get(ctx, keys[i%len(keys)]) }()
			}
		}
	}()
	return stop
}

func (w *world) awaitState(server string, s heartbeat.State, until time.Time) {
	w.t.Helper()
	for w.status(server).State != s {
		if time.Now().After(until) {
			w.t.Fatalf("%s is %v at the end of the time for %v", server, w.status(server).State, s)
		}
		time.Sleep(time.Millisecond)
	}
}
