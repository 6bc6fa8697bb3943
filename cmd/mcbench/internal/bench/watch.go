package bench

import (
	"sync/atomic"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
)

// watch notes when the outage began and ceased to hurt a client.
type watch struct {
	load.Doer
	victim int
	start  atomic.Int64 // unix nanoseconds; 0 before the measured part
	healed atomic.Int64 // moment of the heal since start; 0 before it

	firstFail, lastFail, firstGood atomic.Int64 // since start; 0: never
}

func newWatch(d load.Doer, victim int) *watch { return &watch{Doer: d, victim: victim} }

// Do makes the request and looks at how it ended.
func (w *watch) Do(slot uint64, s *load.Scratch, out *measure.Sample) bool {
	follow := w.Doer.Do(slot, s, out)
	start := w.start.Load()
	if start == 0 {
		return follow
	}
	if out.Err != nil {
		now := time.Now().UnixNano() - start
		w.firstFail.CompareAndSwap(0, now)
		for last := w.lastFail.Load(); now > last && !w.lastFail.CompareAndSwap(last, now); last = w.lastFail.Load() {
		}
		return follow
	}
	if out.Server == w.victim && w.firstGood.Load() == 0 && w.healed.Load() > 0 {
		w.firstGood.CompareAndSwap(0, time.Now().UnixNano()-start)
	}
	return follow
}

// at turns a noted moment into seconds, nil if it never came.
func at(v *atomic.Int64) *float64 {
	n := v.Load()
	if n == 0 {
		return nil
	}
	s := seconds(time.Duration(n))
	return &s
}
