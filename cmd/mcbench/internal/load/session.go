package load

import (
	"errors"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Session makes a workload's requests through one client. Safe for concurrent use.
type Session struct {
	Workload *workload.Workload
	Values   *workload.Values
	Ledger   *workload.Ledger // nil: values are not verified
	Client   target.Client
	Homes    []uint16 // per key, the number of its home server; nil: all are server 0
	FillMiss bool     // a get's miss is followed by a set
}

// Do makes request number slot.
func (x *Session) Do(slot uint64, s *Scratch, out *measure.Sample) (follow bool) {
	x.Workload.Request(slot, &s.req)
	q := &s.req
	out.Op = q.Op
	switch q.Op {
	case workload.Get:
		x.get(q.Key, s, out)
	case workload.MGet:
		x.getMulti(s, out)
	case workload.Set, workload.Add, workload.CAS:
		x.store(q.Op, q.Key, q.TTL, s, out)
	case workload.Delete:
		x.remove(q.Key, out)
	case workload.Incr:
		_, err := x.Client.Increment(x.name(q.Key), 1)
		Answer(out, err)
	case workload.Touch:
		Answer(out, x.Client.Touch(x.name(q.Key), q.TTL))
	}
	out.Server = x.home(q.Key)
	return x.FillMiss && q.Op == workload.Get && out.Misses > 0 && x.Workload.Keys.Stored(q.Key)
}

// Follow stores the value that the last get missed.
func (x *Session) Follow(s *Scratch, out *measure.Sample) {
	key := s.req.Key
	x.store(workload.Fill, key, x.Workload.TTL(key), s, out)
	out.Op, out.Server = workload.Fill, x.home(s.req.Key)
}

// Store writes key as preload does: version 0 of its value, or 0 for a counter.
func (x *Session) Store(key int, s *Scratch) error {
	if !x.Workload.Keys.Stored(key) {
		return x.Client.Set(x.name(key), []byte("0"), 0)
	}
	s.value = x.Values.Append(s.value[:0], x.tag(key), 0, x.Workload.Size(key))
	return x.Client.Set(x.name(key), s.value, x.Workload.TTL(key))
}

func (x *Session) name(key int) string { return x.Workload.Keys.Name(key) }

func (x *Session) tag(key int) uint64 { return x.Workload.Keys.Tag(key) }

func (x *Session) home(key int) int {
	if x.Homes == nil {
		return 0
	}
	return int(x.Homes[key])
}

func (x *Session) get(key int, s *Scratch, out *measure.Sample) {
	floor := x.floor(key)
	var err error
	s.Got, err = x.Client.Get(x.name(key), s.Got[:0])
	Answer(out, err)
	if err == nil {
		out.Hits = 1
		x.check(key, floor, s.Got, out)
	}
}

func (x *Session) getMulti(s *Scratch, out *measure.Sample) {
	keys := s.req.Keys
	s.names, s.floors = s.names[:0], s.floors[:0]
	for _, k := range keys {
		s.names = append(s.names, x.name(k))
		s.floors = append(s.floors, x.floor(k))
	}
	if s.visit == nil { // made once per worker: a closure per request would be an allocation
		s.visit = func(i int, value []byte) {
			s.sample.Hits++
			x.check(s.req.Keys[i], s.floors[i], value, &s.sample)
		}
	}
	err := x.Client.GetMulti(s.names, s.visit)
	out.Err = err
	if err == nil {
		out.Misses = len(keys) - out.Hits
	}
}

// store writes a new version. With verification on, a key that is being written already
// gives way to its neighbour.
func (x *Session) store(op workload.Op, key int, ttl int32, s *Scratch, out *measure.Sample) {
	version := uint32(time.Now().UnixNano()) // without a ledger: any changing number
	ledger := x.Ledger
	if ledger != nil {
		var ok bool
		if key, version, ok = ledger.Begin(key); !ok {
			ledger = nil // every neighbour is being written: this one cannot be judged
			key, op = s.req.Key, workload.Touch
		}
		s.req.Key = key
	}
	s.value = x.Values.Append(s.value[:0], x.tag(key), version, x.Workload.Size(key))
	var err error
	switch op {
	case workload.Add:
		err = x.Client.Add(x.name(key), s.value, ttl)
	case workload.CAS:
		err = x.Client.Swap(x.name(key), s.value, ttl)
	case workload.Touch:
		err = x.Client.Touch(x.name(key), ttl)
	default:
		err = x.Client.Set(x.name(key), s.value, ttl)
	}
	out.Op = op
	Answer(out, err)
	if ledger != nil {
		ledger.End(key, version, err == nil)
	}
}

func (x *Session) remove(key int, out *measure.Sample) {
	if x.Ledger == nil {
		Answer(out, x.Client.Delete(x.name(key)))
		return
	}
	key, version, ok := x.Ledger.Begin(key)
	if !ok {
		out.Refused = true
		return
	}
	err := x.Client.Delete(x.name(key))
	Answer(out, err)
	x.Ledger.End(key, version, err == nil || errors.Is(err, target.ErrMiss))
}

func (x *Session) floor(key int) uint32 {
	if x.Ledger == nil || !x.Workload.Keys.Stored(key) {
		return 0
	}
	return x.Ledger.Floor(key)
}

// check verifies a value that was read.
func (x *Session) check(key int, floor uint32, value []byte, out *measure.Sample) {
	if x.Ledger == nil || !x.Workload.Keys.Stored(key) {
		return
	}
	version, verdict := x.Values.Check(value, x.tag(key))
	if verdict != workload.Right {
		if verdict == workload.Wrong {
			out.Wrong++
		}
		return
	}
	stale, impossible := x.Ledger.Judge(key, version, floor)
	if impossible {
		out.Wrong++
	}
	if stale {
		out.Stale++
	}
}

// Answer sorts what a client returned: a miss and a refusal are answers, not failures.
func Answer(out *measure.Sample, err error) {
	switch {
	case err == nil:
	case errors.Is(err, target.ErrMiss):
		out.Misses++
	case errors.Is(err, target.ErrNotStored), errors.Is(err, target.ErrConflict):
		out.Refused = true
	default:
		out.Err = err
	}
}
