package heartbeat

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestReportsAllocateNothing covers the two on the request path: of every
// request that succeeds, and of those that fail.
func TestReportsAllocateNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, newServer(), Config{})
		sleep(5500 * ms)
		w.Stop() // so that its own allocations do not count
		for _, kind := range []Kind{Success, Timeout, Reset, DialRefused} {
			if n := testing.AllocsPerRun(100, func() { w.Report(Evidence{Kind: kind, Conn: 1}) }); n != 0 {
				t.Errorf("kind %d: %v allocations", kind, n)
			}
		}
	})
}

func BenchmarkReport(b *testing.B) {
	m := Start("test:11211", Config{Timeout: time.Hour, Dial: func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done() // so that the server stays healthy
		return nil, ctx.Err()
	}})
	defer m.Stop()
	for name, kind := range map[string]Kind{"success": Success, "timeout": Timeout} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m.Report(Evidence{Kind: kind, Conn: 1})
				}
			})
		})
	}
}
