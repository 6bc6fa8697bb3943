// Package load offers requests to a client: in an open loop, where each one is due at a
// moment fixed beforehand, or in a closed loop, where each worker sends the next request
// when the last one has returned.
package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
)

// Doer makes requests. It is safe for concurrent use; each worker brings its own Scratch.
type Doer interface {
	// Do makes request number slot and fills in the sample, times excepted. It returns
	// true when Follow shall be called: a second request that grows out of the first.
	Do(slot uint64, s *Scratch, out *measure.Sample) (follow bool)
	// Follow makes the second request of the worker's last slot.
	Follow(s *Scratch, out *measure.Sample)
}

// Config says how to offer the load.
type Config struct {
	Schedule pace.Schedule // due times of an open loop; nil for a closed loop
	Waiter   pace.Waiter   // waits for due times; nil for pace.NewTimer()

	MaxInFlight int // open loop: requests under way at once; what is due beyond is not sent

	Workers  int           // closed loop: requests under way at all times
	Duration time.Duration // closed loop: no request is sent later; 0 for no limit
	Requests uint64        // closed loop: this many requests; 0 for no limit

	Start     time.Time     // when the plan begins; the zero value means now
	FirstSlot uint64        // number of the first request, so that runs can continue one another
	Grace     time.Duration // how long the last requests may take to return
}

// Outcome says how a run ended.
type Outcome struct {
	Started    time.Time
	Elapsed    time.Duration // to the return of the last request
	Sending    time.Duration // to the moment when nothing more was to be sent
	Slots      uint64        // requests taken from the plan, sent or not
	Unfinished int64         // requests that had not returned after Grace
}

// ErrNoEnd reports a closed loop without duration or count.
var ErrNoEnd = errors.New("a closed loop needs a duration or a number of requests")

// Run offers the load until the plan is used up or ctx ends, and waits for what is under
// way, at most Grace. The end of ctx is no error: what ran is in the recorder.
func Run(ctx context.Context, c Config, d Doer, rec *measure.Recorder) (Outcome, error) {
	r := &run{cfg: c, doer: d, rec: rec, ctx: ctx, start: c.Start}
	if r.start.IsZero() {
		r.start = time.Now()
	}
	r.slot.Store(c.FirstSlot)
	if c.Schedule == nil {
		if c.Duration <= 0 && c.Requests == 0 {
			return Outcome{}, ErrNoEnd
		}
		r.closedLoop()
	} else {
		r.openLoop()
	}
	return r.finish(), nil
}

// run is the state that all workers of one run share.
type run struct {
	cfg   Config
	doer  Doer
	rec   *measure.Recorder
	ctx   context.Context
	start time.Time

	slot     atomic.Uint64 // next request number
	inFlight atomic.Int64
	wg       sync.WaitGroup
	sending  atomic.Int64 // nanoseconds; set when the plan is used up
}

// once makes one request that was due at due and records it.
func (r *run) once(worker int, slot uint64, due, sent time.Duration, s *Scratch) {
	r.inFlight.Add(1)
	r.rec.Sent(worker)
	out := &s.sample
	*out = measure.Sample{Due: due, Sent: sent}
	follow := r.doer.Do(slot, s, out)
	out.Done = time.Since(r.start)
	r.rec.Record(worker, out)
	if follow {
		at := out.Done
		*out = measure.Sample{Due: at, Sent: at}
		r.rec.Sent(worker)
		r.doer.Follow(s, out)
		out.Done = time.Since(r.start)
		r.rec.Record(worker, out)
	}
	r.inFlight.Add(-1)
}

func (r *run) finish() Outcome {
	all := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(all)
	}()
	o := Outcome{Started: r.start}
	r.awaitSent(all)
	grace := time.NewTimer(max(r.cfg.Grace, time.Millisecond))
	defer grace.Stop()
	select {
	case <-all:
	case <-grace.C:
		o.Unfinished = r.inFlight.Load()
	}
	o.Elapsed = time.Since(r.start)
	o.Sending = time.Duration(r.sending.Load())
	o.Slots = r.slot.Load() - r.cfg.FirstSlot
	return o
}
