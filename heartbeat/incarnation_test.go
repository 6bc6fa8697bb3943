package heartbeat

import (
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

func TestIncarnations(t *testing.T) {
	stats := func(pid int, started, uptime, items int64) *proto.ProbeStats {
		return &proto.ProbeStats{PID: pid, Started: started, Uptime: time.Duration(uptime) * time.Second, Items: items}
	}
	for _, tc := range []struct {
		name               string
		before, now        *proto.ProbeStats
		known, same, empty bool
	}{
		{"no stats at all", nil, nil, false, false, false},
		{"no stats before", nil, stats(7, 1000, 5, 0), false, false, false},
		{"no stats now", stats(7, 1000, 5, 0), nil, false, false, false},
		{"no process id", stats(0, 1000, 5, 0), stats(0, 1000, 5, 0), false, false, false},
		{"the same, longer up", stats(7, 1000, 5, 3), stats(7, 1000, 65, 3), true, true, false},
		{"the same, empty", stats(7, 1000, 5, 3), stats(7, 1000, 65, 0), true, true, false},
		{"the same, clocks a second apart", stats(7, 1000, 5, 3), stats(7, 1001, 65, 3), true, true, false},
		{"another process id", stats(7, 1000, 5, 3), stats(8, 1000, 5, 3), true, false, false},
		{"another process id, empty", stats(7, 1000, 5, 3), stats(8, 1050, 5, 0), true, false, true},
		{"process 1 of a new container", stats(1, 1000, 5, 3), stats(1, 1050, 15, 0), true, false, true},
		{"no clock, longer up", stats(1, 0, 5, 3), stats(1, 0, 6, 3), true, true, false},
		{"no clock, less long up", stats(1, 0, 5, 3), stats(1, 0, 4, 0), true, false, true},
	} {
		i := compare(tc.before, tc.now)
		if i.Known != tc.known || i.Same != tc.same || i.Empty() != tc.empty {
			t.Errorf("%s: known %v, same %v, empty %v", tc.name, i.Known, i.Same, i.Empty())
		}
	}
}
