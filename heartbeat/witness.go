package heartbeat

import (
	"runtime"
	"time"
)

// witness looks again and again while a dial is under way how long a goroutine
// has to wait for a processor. After a read that ran into its deadline the
// socket can be asked whether the reply was there; after a dial there is
// nothing to ask. And the deadline error itself comes in time even in a busy
// process: the runtime runs timers before anything else, but what woke up by
// the network waits behind all that wants to run. So the witness goes to the
// end of that queue, by runtime.Gosched.
type witness struct {
	quit chan struct{}
	lag  chan time.Duration
}

func startWitness(every time.Duration) witness {
	w := witness{quit: make(chan struct{}), lag: make(chan time.Duration, 1)}
	go w.watch(every, time.Now())
	return w
}

// watch counts from began, as it may already have waited for its first turn.
func (w witness) watch(every time.Duration, began time.Time) {
	timer := time.NewTimer(every)
	defer timer.Stop()
	for worst := time.Since(began); ; {
		due := time.Now().Add(every)
		select {
		case <-timer.C:
			runtime.Gosched()
			worst = max(worst, time.Since(due))
			timer.Reset(every)
		case <-w.quit:
			// A timer of a processor that does nothing else may be overdue,
			// and this turn owed to the caller of stop.
			w.lag <- max(worst, time.Since(due))
			return
		}
	}
}

// stop returns the longest that the witness was kept waiting. It returns after
// the witness's goroutine has said so, which is the last thing it does.
func (w witness) stop() time.Duration {
	asked := time.Now()
	close(w.quit)
	return max(<-w.lag, time.Since(asked))
}
