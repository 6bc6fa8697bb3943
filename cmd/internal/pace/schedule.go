// Package pace decides when each request is due and waits for that moment.
//
// Due times are fixed by a seed before the run starts, so that nothing the servers do
// can change the load that is offered to them.
package pace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Arrival names the law of the gaps between two due times.
type Arrival string

// The arrival laws.
const (
	// Uniform spaces due times evenly.
	Uniform Arrival = "uniform"
	// Poisson draws exponential gaps, as independent users make them.
	Poisson Arrival = "poisson"
)

// ParseArrival reads the name of an arrival law.
func ParseArrival(s string) (Arrival, error) {
	switch a := Arrival(s); a {
	case Uniform, Poisson:
		return a, nil
	}
	return "", fmt.Errorf("arrival %q: want uniform or poisson", s)
}

// Schedule yields due times in order, counted from the start of the run.
// It is used by one goroutine at a time.
type Schedule interface {
	// Next returns the next due time; ok is false when the plan is used up.
	Next() (due time.Duration, ok bool)
	// Len returns how many due times the whole plan has.
	Len() int
}

// New plans count requests at rate per second. The last due time is below count/rate,
// and the plan always holds exactly count due times: a Poisson plan is drawn under that
// condition, so that the offered rate is exact while the gaps stay exponential.
func New(a Arrival, rate float64, count int, seed uint64) (Schedule, error) {
	if rate <= 0 || math.IsInf(rate, 0) || math.IsNaN(rate) {
		return nil, fmt.Errorf("rate %v: want a number above 0", rate)
	}
	if count <= 0 {
		return nil, fmt.Errorf("%d requests: want at least 1", count)
	}
	switch a {
	case Uniform:
		return &uniform{gap: float64(time.Second) / rate, n: count}, nil
	case Poisson:
		return newPoisson(rate, count, seed), nil
	}
	return nil, fmt.Errorf("arrival %q: want uniform or poisson", string(a))
}

// uniform computes each due time from its number: no rounding error adds up.
type uniform struct {
	gap  float64 // nanoseconds
	i, n int
}

func (u *uniform) Next() (time.Duration, bool) {
	if u.i >= u.n {
		return 0, false
	}
	due := time.Duration(float64(u.i) * u.gap)
	u.i++
	return due, true
}

func (u *uniform) Len() int { return u.n }

// poisson is a Poisson process given its number of events: with n+1 exponential draws
// e, the partial sums of e/sum(e) are n sorted uniform points. The draws are made twice
// from the same seed, once for the sum and once as the plan goes, which needs no memory.
type poisson struct {
	rng   *rand.Rand
	scale float64 // nanoseconds per unit of exponential
	sum   float64
	i, n  int
}

func newPoisson(rate float64, n int, seed uint64) *poisson {
	first := exponentials(seed)
	total := 0.0
	for range n + 1 {
		total += first.ExpFloat64()
	}
	length := float64(n) / rate * float64(time.Second)
	return &poisson{rng: exponentials(seed), scale: length / total, n: n}
}

func exponentials(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x6d63_6265_6e63_68)) // second word: "mcbench", its own stream
}

func (p *poisson) Next() (time.Duration, bool) {
	if p.i >= p.n {
		return 0, false
	}
	p.i++
	p.sum += p.rng.ExpFloat64()
	return time.Duration(p.sum * p.scale), true
}

func (p *poisson) Len() int { return p.n }

// Offsets replays given due times, which must not decrease. It serves traces.
type Offsets struct {
	due []time.Duration
	i   int
}

// NewOffsets returns a plan of the given due times; the slice is kept, not copied.
func NewOffsets(due []time.Duration) *Offsets { return &Offsets{due: due} }

// Next returns the next given due time.
func (o *Offsets) Next() (time.Duration, bool) {
	if o.i >= len(o.due) {
		return 0, false
	}
	o.i++
	return o.due[o.i-1], true
}

// Len returns the number of due times.
func (o *Offsets) Len() int { return len(o.due) }
