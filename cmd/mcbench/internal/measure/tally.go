package measure

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Tally is a sum of samples.
type Tally struct {
	Sent    int64 // requests that were sent
	NotSent int64 // due while the cap on requests under way was reached; failed

	// Histograms are nil before their first sample: most shards never see some of them.
	Response *hdrhistogram.Histogram // from the due moment, all requests, errors included
	Service  *hdrhistogram.Histogram // from the real send
	Lag      *hdrhistogram.Histogram // of the generator itself

	Ops     [workload.NumOps]OpTally
	Servers []ServerTally
	Errors  map[string]int64 // by class, see Classify

	LastError time.Duration // when the last failed request ended; 0 for none
}

// OpTally is the part of one operation.
type OpTally struct {
	Count, Failed, Hits, Misses, Refused int64
	Stale, Wrong                         int64

	Response *hdrhistogram.Histogram // nil before the first sample
	Failures *hdrhistogram.Histogram // the failed requests in Response; nil if none
}

// ServerTally is the part of the keys whose home is one server.
type ServerTally struct{ Count, Failed, Hits, Misses int64 }

func (t *Tally) init(servers int) {
	t.Servers = make([]ServerTally, servers)
	t.Errors = map[string]int64{}
}

// maxClasses bounds the table of distinct errors.
const maxClasses = 32

func (t *Tally) add(s *Sample) {
	response := s.Done - s.Due
	op := &t.Ops[s.Op]
	record(&op.Response, response)
	record(&t.Service, s.Done-s.Sent)
	t.count(s)
	if s.Err != nil {
		record(&op.Failures, response)
		t.LastError = max(t.LastError, s.Done)
		t.countError(s.Err)
	}
}

// addInterval keeps one response histogram for all operations.
func (t *Tally) addInterval(s *Sample) {
	record(&t.Response, s.Done-s.Due)
	t.count(s)
}

func (t *Tally) count(s *Sample) {
	op := &t.Ops[s.Op]
	op.Count++
	op.Hits += int64(s.Hits)
	op.Misses += int64(s.Misses)
	op.Stale += int64(s.Stale)
	op.Wrong += int64(s.Wrong)
	if s.Refused {
		op.Refused++
	}
	sv := &t.Servers[s.Server]
	sv.Count++
	sv.Hits += int64(s.Hits)
	sv.Misses += int64(s.Misses)
	if s.Err != nil {
		op.Failed++
		sv.Failed++
	}
}

func (t *Tally) countError(err error) {
	class := Classify(err)
	if _, known := t.Errors[class]; !known && len(t.Errors) >= maxClasses {
		class = "other"
	}
	t.Errors[class]++
}

// record clamps to the range, so that no sample is ever lost.
func record(h **hdrhistogram.Histogram, d time.Duration) {
	if *h == nil {
		*h = NewHistogram()
	}
	v := min(max(int64(d), 0), Highest)
	if err := (*h).RecordValue(v); err != nil {
		panic("bug: clamped value out of the histogram's range: " + err.Error())
	}
}

func (t *Tally) merge(from *Tally) {
	t.NotSent += from.NotSent
	t.LastError = max(t.LastError, from.LastError)
	t.Response = mergeHistogram(t.Response, from.Response)
	t.Service = mergeHistogram(t.Service, from.Service)
	t.Lag = mergeHistogram(t.Lag, from.Lag)
	for i := range t.Ops {
		t.Ops[i].merge(&from.Ops[i])
		t.Response = mergeHistogram(t.Response, from.Ops[i].Response)
	}
	for i := range t.Servers {
		a, b := &t.Servers[i], &from.Servers[i]
		a.Count += b.Count
		a.Failed += b.Failed
		a.Hits += b.Hits
		a.Misses += b.Misses
	}
	for class, n := range from.Errors {
		t.Errors[class] += n
	}
}

func (o *OpTally) merge(from *OpTally) {
	o.Count += from.Count
	o.Failed += from.Failed
	o.Hits += from.Hits
	o.Misses += from.Misses
	o.Refused += from.Refused
	o.Stale += from.Stale
	o.Wrong += from.Wrong
	o.Response = mergeHistogram(o.Response, from.Response)
	o.Failures = mergeHistogram(o.Failures, from.Failures)
}

func mergeHistogram(to, from *hdrhistogram.Histogram) *hdrhistogram.Histogram {
	if from == nil {
		return to
	}
	if to == nil {
		to = NewHistogram()
	}
	to.Merge(from)
	return to
}

// reset empties an interval's tally.
func (t *Tally) reset() {
	t.NotSent = 0
	for _, h := range []*hdrhistogram.Histogram{t.Response, t.Lag} {
		if h != nil {
			h.Reset()
		}
	}
	for i := range t.Ops {
		t.Ops[i] = OpTally{}
	}
	for i := range t.Servers {
		t.Servers[i] = ServerTally{}
	}
}

// Sum returns the counts of all operations together.
func (t *Tally) Sum() OpTally {
	var sum OpTally
	for i := range t.Ops {
		o := t.Ops[i]
		o.Response, o.Failures = nil, nil
		sum.merge(&o)
	}
	return sum
}

// OKResponse returns the response histogram of the requests that succeeded.
func (t *Tally) OKResponse() *hdrhistogram.Histogram {
	ok := NewHistogram()
	for i := range t.Ops {
		subtract(ok, t.Ops[i].Response, t.Ops[i].Failures)
	}
	return ok
}

func subtract(to, all, failed *hdrhistogram.Histogram) {
	if all == nil {
		return
	}
	snap := all.Export()
	if failed != nil {
		for i, n := range failed.Export().Counts {
			snap.Counts[i] -= n
		}
	}
	to.Merge(hdrhistogram.Import(snap))
}
