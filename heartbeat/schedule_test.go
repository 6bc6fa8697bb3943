package heartbeat

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// length is the length of a schedule.
const length = 20 * time.Second

// world is one random schedule: the lives of its servers, the requests they
// get, and the pauses of the process that watches them.
type world struct {
	seed     uint64
	lives    []life
	traffic  []traffic
	pauses   pauses
	maxMoved int
}

// traffic is how many requests a server gets.
type traffic int

const (
	idle   traffic = iota
	few            // over one connection: never enough to stand in for probes
	plenty         // over two connections
)

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &world{seed: seed, maxMoved: r.IntN(4) - 1}
	for range 3 + r.IntN(7) {
		w.lives = append(w.lives, randomLife(r))
		w.traffic = append(w.traffic, traffic(r.IntN(3)))
	}
	if r.IntN(3) == 0 {
		w.pauses = randomPauses(r)
	}
	return w
}

// randomLife starts well, and then goes from one sickness to the next.
func randomLife(r *rand.Rand) (l life) {
	upTo := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	add := func(c condition, d time.Duration) {
		s := span{to: d, condition: c}
		if len(l) > 0 {
			s.from = l[len(l)-1].to
			s.to += s.from
		}
		switch c {
		case slow:
			s.delay = 300*ms + upTo(400*ms)
		case sluggish:
			s.delay = 50*ms + upTo(150*ms)
		}
		l = append(l, s)
	}
	add(up, 500*ms+upTo(6*time.Second))
	for l[len(l)-1].to < length {
		sickness := condition(1 + r.IntN(int(numConditions)-1))
		if r.IntN(4) == 0 { // flaps
			half := 200*ms + upTo(3*time.Second)
			for range 2 + r.IntN(4) {
				add(sickness, half)
				add(up, half)
			}
			continue
		}
		add(sickness, 100*ms+upTo(8*time.Second))
		add(up, 100*ms+upTo(8*time.Second))
	}
	return l
}

func randomPauses(r *rand.Rand) (p pauses) {
	at := time.Duration(r.Int64N(int64(4 * time.Second)))
	for at < length {
		d := time.Duration(1+r.Int64N(1000)) * ms
		if r.IntN(4) == 0 {
			d *= 4
		}
		p = append(p, span{from: at, to: at + d})
		at += d + time.Duration(r.Int64N(int64(5*time.Second)))
	}
	return p
}

// report is what requests have to say at one moment.
type report struct {
	at     time.Duration
	server int
	Evidence
}

// attempt is the requests' own timeout.
const attempt = 100 * ms

// reports works out what requests say against server i. After a pause of the
// process all that were under way have timed out. The odd intervals keep
// reports from falling into one moment with the monitor's own doings.
func (w *world) reports(i int) (all []report) {
	every, conns := 53007*time.Microsecond, 1
	switch w.traffic[i] {
	case idle:
		return nil
	case plenty:
		every, conns = 17003*time.Microsecond, 2
	}
	for n := 0; ; n++ {
		at := time.Duration(n) * every
		if at >= length {
			return all
		}
		if w.pauses.running(at) != at {
			continue // nobody asks
		}
		if e, seen, ok := w.outcome(i, at, n, conns, every); ok {
			e.Conn = uint64(n % conns)
			all = append(all, report{w.pauses.running(seen), i, e})
		}
	}
}

// outcome is that of the n-th request to server i, if it fails, and when it is
// known.
func (w *world) outcome(i int, at time.Duration, n, conns int, every time.Duration) (e Evidence, seen time.Duration, failed bool) {
	s := w.lives[i].at(at)
	late := w.pauses.overlap(at, at+attempt)
	switch s.condition {
	case gone:
		e.Kind = DialRefused
		if at < s.from+every*time.Duration(conns) {
			e.Kind = Reset
		}
		return e, at, true
	case up, full:
		failed = late
	case sluggish:
		failed = late || s.delay >= attempt
	default:
		failed = true
	}
	return Evidence{Kind: Timeout}, at + attempt, failed
}

// record is what came of a schedule.
type record struct {
	servers []*simServer
	told    [][]passage

	mu       sync.Mutex // guards the fields below
	monitors []*Monitor
	problem  string
}

// passage is a transition and what the server had done until then.
type passage struct {
	at       time.Duration
	from, to State
	reason   Reason
	hold     time.Duration
	replies  int
	repaired int // calls of Readmit that succeeded
}

// run plays the schedule for the servers numbered in which, and lets the
// others out.
func (w *world) run(t *testing.T, which ...int) *record {
	n := len(w.lives)
	rec := &record{servers: make([]*simServer, n), told: make([][]passage, n), monitors: make([]*Monitor, n)}
	synctest.Test(t, func(*testing.T) {
		begin := time.Now()
		var reports []report
		for _, i := range which {
			rec.servers[i] = &simServer{begin: begin, life: w.lives[i], pauses: w.pauses, rtt: 500 * time.Microsecond}
			m := Start(fmt.Sprint(i), w.config(rec, i))
			rec.mu.Lock()
			rec.monitors[i] = m
			rec.mu.Unlock()
			reports = append(reports, w.reports(i)...)
		}
		slices.SortStableFunc(reports, func(a, b report) int { return int(a.at - b.at) })
		for _, r := range reports {
			if r.at >= length {
				break
			}
			time.Sleep(r.at - time.Since(begin))
			rec.monitors[r.server].Report(r.Evidence)
		}
		time.Sleep(length - time.Since(begin))
		for _, i := range which {
			rec.monitors[i].Stop()
		}
	})
	return rec
}

// config is that of the monitor of server i.
func (w *world) config(rec *record, i int) Config {
	r := rand.New(rand.NewPCG(w.seed, uint64(i)))
	s := rec.servers[i]
	var repaired int
	var mu sync.Mutex
	return Config{
		Dial:   s.dial,
		random: r.Float64, // only the monitor's goroutine asks
		Readmit: func(ctx context.Context, _ Incarnation) error {
			s.sleepUntil(s.now() + 5*ms)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			repaired++
			return nil
		},
		OnTransition: func(tr Transition) {
			mu.Lock()
			n := repaired
			mu.Unlock()
			s.mu.Lock()
			replies := s.replies
			s.mu.Unlock()
			rec.told[i] = append(rec.told[i], passage{s.now(), tr.From, tr.To, tr.Reason, tr.HoldDown, replies, n})
			rec.look(w.maxMoved)
		},
	}
}

// look checks the view that the clients have of all servers at this moment.
func (rec *record) look(maxMoved int) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var all []Snapshot
	for _, m := range rec.monitors {
		if m != nil {
			all = append(all, m.Snapshot())
		}
	}
	if p := checkView(time.Now(), all, maxMoved); p != "" && rec.problem == "" {
		rec.problem = p
	}
}
