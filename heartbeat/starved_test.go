package heartbeat

import (
	"flag"
	"sync/atomic"
	"testing"
	"time"
)

var starve = flag.Duration("starve", 2*time.Second, "how long to starve the process of processor time, for each number of goroutines")

// TestStarvedProcessEjectsNobody keeps all processors of this process busy
// while monitors probe a healthy memcached with all evidence against it: a
// single probe that failed would eject.
func TestStarvedProcessEjectsNobody(t *testing.T) {
	addr := freeAddr(t)
	memcached(t, addr)
	for _, spinning := range []int{4, 16, 64} {
		var monitors []*Monitor
		for range 8 {
			m, told := events(t, addr, Config{Initial: Probation, Interval: 200 * ms})
			await(t, told, Healthy)
			monitors = append(monitors, m)
		}
		var stop atomic.Bool
		for range spinning {
			go func() {
				for !stop.Load() { // spins on purpose
				}
			}()
		}
		for end := time.Now().Add(*starve); time.Now().Before(end); {
			for _, m := range monitors {
				for c := range uint64(3) {
					m.Report(Evidence{Kind: Timeout, Conn: c})
				}
			}
			time.Sleep(10 * ms)
		}
		stop.Store(true)
		var sum Snapshot
		for i, m := range monitors {
			m.Stop()
			s := m.Snapshot()
			if s.Ejections != 0 {
				t.Errorf("%d spinning: monitor %d ejected a healthy server %d times: %v, lag %v", spinning, i, s.Ejections, s.LastErr, s.Lag)
			}
			sum.Probes += s.Probes
			sum.Inconclusive += s.Inconclusive
			sum.Failures += s.Failures
			sum.Lag = max(sum.Lag, s.Lag)
		}
		t.Logf("%d spinning: %d probes, %d inconclusive, %d failed", spinning, sum.Probes, sum.Inconclusive, sum.Failures)
	}
}
