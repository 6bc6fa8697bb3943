package faulttest

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// TestFaultStarvedProcess takes the CPU away from the client: that it is slow is
// not the servers' fault, and none may be ejected for it.
func TestFaultStarvedProcess(t *testing.T) {
	length := 8 * time.Second
	if os.Getenv("RINGBEAT_FAULTS") == "measure" {
		length = time.Minute
	}
	for _, spinning := range []int{4, 16, 64} {
		t.Run(fmt.Sprint(spinning), func(t *testing.T) {
			e := newEnv(t, 3, nil)
			l := start(e.c, 100, 50)
			time.Sleep(time.Second)
			stop := make(chan struct{})
			var all sync.WaitGroup
			for range spinning {
				all.Go(func() {
					for n := 0; ; n++ {
						if n%1000 == 0 {
							select {
							case <-stop:
								return
							default:
							}
						}
					}
				})
			}
			time.Sleep(length)
			close(stop)
			all.Wait()
			l.end()
			s := e.c.Snapshot()
			t.Logf("%d ejections, %d retries, %d hints", s.Ejections, s.Retries, s.Hints)
			if s.Ejections != 0 {
				t.Errorf("%d ejections of servers that answer", s.Ejections)
			}
		})
	}
}
