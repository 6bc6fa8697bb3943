package mctest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// faultKind is a fault that strikes every n-th time.
type faultKind uint8

const (
	faultReset faultKind = iota
	faultResetDial
	faultGarbage
	faultCloseMid
	faultStallMid
	faultSwallow
	faultRepeat
	numFaults
)

// splitGap lies between the pieces of a split reply, long enough that they do not
// meet again in the peer's receive buffer as a rule.
const splitGap = 100 * time.Microsecond

// faults says how replies are spoiled. It is replaced, never changed, except for
// what is behind its pointers.
type faults struct {
	delay    time.Duration
	drip     time.Duration
	dripping bool
	split    bool
	every    [numFaults]uint64
	seen     *[numFaults]atomic.Uint64
	random   *dice
	healed   chan struct{} // closed by Heal
}

// dice is a random source that connections share.
type dice struct {
	mu sync.Mutex // guards r
	r  *rand.Rand
}

// upTo returns a number from 1 to n.
func (d *dice) upTo(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return 1 + d.r.IntN(n)
}

// bytes fills b.
func (d *dice) bytes(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range b {
		b[i] = byte(d.r.Uint32())
	}
}

// change installs an altered copy of the faults in force.
func (s *Server) change(alter func(*faults)) {
	s.control.Lock()
	defer s.control.Unlock()
	f := &faults{
		seen:   new([numFaults]atomic.Uint64),
		random: &dice{r: rand.New(rand.NewPCG(s.cfg.Seed, s.cfg.Seed))},
		healed: make(chan struct{}),
	}
	if now := s.faults.Load(); now != nil {
		*f = *now
	}
	alter(f)
	s.faults.Store(f)
}

func (s *Server) set(k faultKind, every int) {
	s.change(func(f *faults) {
		f.every[k] = uint64(max(every, 0))
		f.seen[k].Store(0)
	})
}

// strikes reports whether this is the n-th time for fault k.
func (f *faults) strikes(k faultKind) bool {
	return f.every[k] > 0 && f.seen[k].Add(1)%f.every[k] == 0
}

// spoil sends the reply in c.out[mark:], and what is before it, through the
// faults. It is called once per request, also if there is no reply; false ends
// the connection.
func (c *conn) spoil(f *faults, mark int) bool {
	c.settle()
	if c.pacer == nil {
		c.startPacer()
	}
	if mark > 0 && !c.pacer.push(parcel{bytes: append([]byte(nil), c.out[:mark]...)}) {
		return false
	}
	x := f.parcel(c.out[mark:])
	c.out = c.out[:0]
	if len(x.bytes) == 0 && x.last == carryOn {
		return true
	}
	return c.pacer.push(x) && (x.last == carryOn || x.last == stall)
}

// parcel wraps reply in the faults that strike it.
func (f *faults) parcel(reply []byte) parcel {
	x := parcel{healed: f.healed}
	if f.delay > 0 {
		x.due = time.Now().Add(f.delay)
	}
	if f.strikes(faultReset) {
		x.last = resetIt
		return x
	}
	if len(reply) == 0 {
		return x
	}
	x.bytes = f.garble(reply)
	switch half := len(x.bytes) / 2; {
	case f.strikes(faultCloseMid):
		x.bytes, x.last = x.bytes[:half], closeIt
	case f.strikes(faultStallMid):
		x.bytes, x.rest, x.last = x.bytes[:half], x.bytes[half:], stall
	}
	switch {
	case f.dripping:
		x.pieces, x.gap = func(int) int { return 1 }, f.drip
	case f.split:
		x.pieces, x.gap = f.random.upTo, splitGap
	}
	return x
}

// garble returns a copy of reply, or something worse.
func (f *faults) garble(reply []byte) []byte {
	b := append([]byte(nil), reply...)
	if f.strikes(faultGarbage) {
		f.random.bytes(b)
	}
	if f.strikes(faultRepeat) {
		b = append(b, b...)
	}
	if f.strikes(faultSwallow) {
		return nil
	}
	return b
}
