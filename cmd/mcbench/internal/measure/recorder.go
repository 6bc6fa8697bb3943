// Package measure records what became of each request: histograms from the due moment and
// from the real send, the generator's own lag, counts, and a slice per interval.
//
// Percentiles always come from merged histograms; they are never averaged.
package measure

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// The range and precision of every histogram, in nanoseconds.
const (
	Lowest  = int64(time.Microsecond)
	Highest = int64(60 * time.Second)
	Digits  = 3
)

// NewHistogram returns an empty histogram of that range.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(Lowest, Highest, Digits) }

// Sample is one finished request. Times count from the start of the run.
type Sample struct {
	Op              workload.Op
	Server          int // number of the key's home
	Due, Sent, Done time.Duration
	Hits, Misses    int
	Refused         bool // not stored (add) or conflict (cas): an answer, not an error
	Stale, Wrong    int  // values that verification refused
	Err             error
}

// Recorder collects samples. Workers spread over its shards, so that they hardly ever wait
// for each other. Safe for concurrent use.
type Recorder struct {
	shards []shard
}

type shard struct {
	sent atomic.Int64
	_    [56]byte // the counter has a cache line of its own

	mu       sync.Mutex // guards the fields below
	tally    Tally
	interval Tally
}

// NewRecorder returns a recorder for requests to the given number of servers.
func NewRecorder(shards, servers int) *Recorder {
	r := &Recorder{shards: make([]shard, max(shards, 1))}
	for i := range r.shards {
		s := &r.shards[i]
		s.tally.init(servers)
		s.interval.init(servers)
	}
	return r
}

// Sent counts a request that is about to be sent.
func (r *Recorder) Sent(worker int) {
	r.shards[worker%len(r.shards)].sent.Add(1)
}

// Record adds a finished request.
func (r *Recorder) Record(worker int, s *Sample) {
	sh := &r.shards[worker%len(r.shards)]
	sh.mu.Lock()
	sh.tally.add(s)
	sh.interval.addInterval(s)
	sh.mu.Unlock()
}

// NotSent counts a request that was due while as many as allowed were under way.
func (r *Recorder) NotSent(worker int) {
	sh := &r.shards[worker%len(r.shards)]
	sh.mu.Lock()
	sh.tally.NotSent++
	sh.interval.NotSent++
	sh.mu.Unlock()
}

// Lag records how late the generator itself sent a request that nothing held up.
func (r *Recorder) Lag(worker int, late time.Duration) {
	sh := &r.shards[worker%len(r.shards)]
	sh.mu.Lock()
	record(&sh.tally.Lag, late)
	record(&sh.interval.Lag, late)
	sh.mu.Unlock()
}

// Total returns everything recorded so far.
func (r *Recorder) Total() *Tally {
	t := &Tally{}
	t.init(r.servers())
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		t.merge(&sh.tally)
		sh.mu.Unlock()
		t.Sent += sh.sent.Load()
	}
	return t
}

// TakeInterval returns what was recorded since the last call.
func (r *Recorder) TakeInterval() *Tally {
	t := &Tally{}
	t.init(r.servers())
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		t.merge(&sh.interval)
		sh.interval.reset()
		sh.mu.Unlock()
		t.Sent += sh.sent.Load() // since the start: the caller subtracts the last one
	}
	return t
}

func (r *Recorder) servers() int { return len(r.shards[0].tally.Servers) }
