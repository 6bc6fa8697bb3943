package trace

import (
	"bytes"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Replay makes a trace's requests through a client. A get that misses is followed by a set
// of the traced size, as the application of the trace did. Safe for concurrent use.
type Replay struct {
	trace  *Trace
	client target.Client
	homes  []uint16
	sizes  []int32 // per key: the last size that the trace tells, for fills
	counts []bool  // per key: it is incremented somewhere, so its value must be a number
	digits []byte
}

// NewReplay returns the replay of a trace; home tells the number of a key's server.
func NewReplay(t *Trace, c target.Client, home func(key string) int) *Replay {
	r := &Replay{trace: t, client: c, homes: make([]uint16, len(t.Keys)), sizes: make([]int32, len(t.Keys)), counts: make([]bool, len(t.Keys))}
	for i, k := range t.Keys {
		r.homes[i] = uint16(home(k))
	}
	most := int32(0)
	for _, rec := range t.Records {
		if rec.Size > 0 {
			r.sizes[rec.Key] = rec.Size
		}
		if rec.Op == workload.Incr {
			r.counts[rec.Key] = true
		}
		most = max(most, rec.Size)
	}
	r.digits = bytes.Repeat([]byte("1"), int(most))
	return r
}

// Do makes request number slot of the trace.
func (r *Replay) Do(slot uint64, s *load.Scratch, out *measure.Sample) (follow bool) {
	rec := &r.trace.Records[slot]
	key := r.trace.Keys[rec.Key]
	out.Op, out.Server = rec.Op, int(r.homes[rec.Key])
	s.Slot = slot
	value := r.value(rec.Key, rec.Size)
	var err error
	switch rec.Op {
	case workload.Get:
		if s.Got, err = r.client.Get(key, s.Got[:0]); err == nil {
			out.Hits = 1
		}
	case workload.Set:
		err = r.client.Set(key, value, rec.TTL)
	case workload.Add:
		err = r.client.Add(key, value, rec.TTL)
	case workload.CAS:
		err = r.client.Swap(key, value, rec.TTL)
	case workload.Delete:
		err = r.client.Delete(key)
	case workload.Incr:
		_, err = r.client.Increment(key, 1)
	}
	load.Answer(out, err)
	return rec.Op == workload.Get && out.Misses > 0
}

// Follow stores what a get missed.
func (r *Replay) Follow(s *load.Scratch, out *measure.Sample) {
	rec := &r.trace.Records[s.Slot]
	out.Op, out.Server = workload.Fill, int(r.homes[rec.Key])
	load.Answer(out, r.client.Set(r.trace.Keys[rec.Key], r.value(rec.Key, r.sizes[rec.Key]), rec.TTL))
}

// value returns size bytes, or a small number for a key that is incremented.
func (r *Replay) value(key, size int32) []byte {
	if r.counts[key] {
		size = min(size, 10)
	}
	return r.digits[:size]
}
