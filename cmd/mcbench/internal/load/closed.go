package load

import (
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
)

// closedLoop keeps cfg.Workers requests under way: each worker's next request is due when
// its last one has returned, so response and service time are the same.
func (r *run) closedLoop() {
	pace.NewTimer().Wait(r.ctx, r.start)
	for id := range max(r.cfg.Workers, 1) {
		r.wg.Go(func() { r.closedWork(id) })
	}
}

func (r *run) closedWork(id int) {
	s := NewScratch()
	last := r.cfg.FirstSlot + r.cfg.Requests
	for r.ctx.Err() == nil {
		now := time.Since(r.start)
		if r.cfg.Duration > 0 && now >= r.cfg.Duration {
			break
		}
		slot := r.slot.Add(1) - 1
		if r.cfg.Requests > 0 && slot >= last {
			r.slot.Add(^uint64(0))
			break
		}
		r.once(id, slot, now, now, s)
	}
	r.sending.Store(int64(time.Since(r.start)))
}

// awaitSent waits until nothing more is sent: in a closed loop that is the end of its
// duration (all workers end by themselves when a count ends it) or of ctx.
func (r *run) awaitSent(all <-chan struct{}) {
	if r.cfg.Schedule != nil {
		return
	}
	var end <-chan time.Time
	if r.cfg.Duration > 0 {
		t := time.NewTimer(r.cfg.Duration - time.Since(r.start))
		defer t.Stop()
		end = t.C
	}
	select {
	case <-end:
	case <-all:
	case <-r.ctx.Done():
	}
}
