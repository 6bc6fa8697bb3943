package load

import (
	"sync/atomic"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
)

// open is an open loop. One worker at a time holds the lead: it takes the next due time
// from the plan, waits for it, passes the lead on and only then makes its request. So a
// slow or hung server keeps as many workers as it has requests, and never the one that is
// waiting for the next due time. Before the lead is passed there must be a worker to take
// it: if none is idle a new one is started, up to MaxInFlight.
type open struct {
	*run
	lead    chan struct{} // holds the lead while nobody does
	idle    atomic.Int64  // workers waiting for the lead
	sent    chan struct{} // closed when the plan is used up
	workers int           // owned by the leader, like the fields below
	full    bool          // every worker was busy when the lead was passed
	over    bool
}

// startWorkers are there from the beginning, so that the first burst starts none.
const startWorkers = 16

func (r *run) openLoop() {
	if r.cfg.Waiter == nil {
		r.cfg.Waiter = pace.NewTimer()
	}
	r.cfg.MaxInFlight = max(r.cfg.MaxInFlight, 1)
	o := &open{run: r, lead: make(chan struct{}, 1), sent: make(chan struct{})}
	for range min(startWorkers, r.cfg.MaxInFlight) {
		o.addWorker()
	}
	o.lead <- struct{}{}
	<-o.sent
}

func (o *open) addWorker() {
	id := o.workers
	o.workers++
	o.idle.Add(1)
	o.wg.Go(func() { o.work(id) })
}

// work is a worker's life. It comes in counted as idle.
func (o *open) work(id int) {
	s := NewScratch()
	for {
		<-o.lead
		o.idle.Add(-1)
		slot, due, ok := o.next(id)
		if !ok {
			o.end()
			return
		}
		sent := time.Since(o.start)
		o.rec.Lag(id, sent-due)
		o.pass()
		o.once(id, slot, due, sent, s)
		o.idle.Add(1)
	}
}

// next takes a due time and waits for it. Due times that went by while every worker was
// busy are recorded as not sent.
func (o *open) next(id int) (slot uint64, due time.Duration, ok bool) {
	for !o.over {
		if due, ok = o.cfg.Schedule.Next(); !ok {
			break
		}
		slot = o.slot.Add(1) - 1
		now := time.Since(o.start)
		if o.full && due < now {
			o.rec.NotSent(id)
			continue
		}
		o.full = false
		if due > now {
			o.cfg.Waiter.Wait(o.ctx, o.start.Add(due))
		}
		if o.ctx.Err() != nil {
			o.slot.Add(^uint64(0)) // this one was never due
			break
		}
		return slot, due, true
	}
	return 0, 0, false
}

// pass gives the lead to an idle worker; without one it starts one or notes that all are busy.
func (o *open) pass() {
	if o.idle.Load() == 0 {
		if o.workers < o.cfg.MaxInFlight {
			o.addWorker()
		} else {
			o.full = true
		}
	}
	o.lead <- struct{}{}
}

// end lets the other workers see that the plan is used up.
func (o *open) end() {
	if !o.over {
		o.over = true
		o.sending.Store(int64(time.Since(o.start)))
		close(o.sent)
	}
	o.lead <- struct{}{}
}
