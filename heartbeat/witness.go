package heartbeat

import "time"

// witness wakes up again and again while a dial is under way and sees how late
// it is woken. After a read that ran into its deadline the socket can be asked
// whether the reply was there; after a dial there is nothing to ask, and a
// goroutine that slept through the connection's coming up wakes at the deadline
// just in time to look punctual. But what keeps one goroutine waiting for a
// processor keeps others waiting too.
type witness struct {
	quit chan struct{}
	lag  chan time.Duration
}

func startWitness(every time.Duration) witness {
	w := witness{quit: make(chan struct{}), lag: make(chan time.Duration, 1)}
	go w.watch(every)
	return w
}

func (w witness) watch(every time.Duration) {
	worst := time.Duration(0)
	for {
		due := time.Now().Add(every)
		timer := time.NewTimer(every)
		select {
		case <-timer.C:
			worst = max(worst, time.Since(due))
		case <-w.quit:
			timer.Stop()
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
