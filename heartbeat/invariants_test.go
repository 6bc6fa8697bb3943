package heartbeat

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

var (
	schedules = flag.Int("schedules", 10_000, "random fault schedules to go through; a tenth of it under the race detector")
	schedule  = flag.Int("schedule", -1, "go through this one only, and tell what happens")
)

// TestRandomSchedules goes through random lives of 3 to 9 servers and checks
// what must hold in all of them.
func TestRandomSchedules(t *testing.T) {
	if *schedule >= 0 {
		w := newWorld(uint64(*schedule))
		rec, problem := w.check(t)
		for i, l := range w.lives {
			t.Logf("server %d, traffic %d: %v\n\t%v", i, w.traffic[i], l, rec.told[i])
		}
		t.Logf("pauses: %v", w.pauses)
		if problem != "" {
			t.Error(problem)
		}
		return
	}
	total := int64(*schedules)
	if raceDetector {
		total /= 10
	}
	var next atomic.Int64
	var sum counts
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			for {
				seed := next.Add(1) - 1
				if seed >= total || t.Failed() {
					return
				}
				w := newWorld(uint64(seed))
				rec, problem := w.check(t)
				if problem != "" {
					t.Errorf("schedule %d: %s", seed, problem)
				}
				sum.add(w, rec)
			}
		})
	}
	t.Cleanup(func() {
		t.Logf("%d schedules, %d ejections, %d readmissions", total, sum.ejections.Load(), sum.readmissions.Load())
		if sum.ejections.Load() < total || sum.readmissions.Load() < total {
			t.Error("too little happened")
		}
	})
}

type counts struct{ ejections, readmissions atomic.Int64 }

func (c *counts) add(w *world, rec *record) {
	for i := range w.lives {
		for _, s := range rec.told[i] {
			switch s.to {
			case Ejected:
				c.ejections.Add(1)
			case Healthy:
				if s.from == Probation {
					c.readmissions.Add(1)
				}
			}
		}
	}
}

// check plays the schedule and returns the first rule that is broken.
func (w *world) check(t *testing.T) (*record, string) {
	var all []int
	for i := range w.lives {
		all = append(all, i)
	}
	rec := w.run(t, all...)
	if rec.problem != "" {
		return rec, rec.problem
	}
	for i := range w.lives {
		for _, rule := range []func(*record, int) string{w.oneProbe, w.path, w.noFalseEjection, w.detection, w.readmission} {
			if problem := rule(rec, i); problem != "" {
				return rec, fmt.Sprintf("server %d: %s", i, problem)
			}
		}
	}
	return rec, w.isolation(t, rec)
}

// oneProbe: at most one probe is under way, on at most one connection more
// than the one that is kept.
func (w *world) oneProbe(rec *record, i int) string {
	if s := rec.servers[i]; s.mostFlying > 1 || s.mostOpen > 2 || s.open != 0 {
		return fmt.Sprintf("%d probes at a time, %d connections, %d left", s.mostFlying, s.mostOpen, s.open)
	}
	return ""
}

// path: transitions follow each other; back to healthy only after Rise replies
// and a successful Readmit, and not before the hold-down is over.
func (w *world) path(rec *record, i int) string {
	state, round, replies, repaired := Healthy, 0, 0, 0
	var hold time.Duration
	for _, s := range rec.told[i] {
		if s.from != state {
			return fmt.Sprintf("at %v from %v, but it was %v", s.at, s.from, state)
		}
		state = s.to
		switch {
		case s.to == Ejected && s.from.Usable():
			if want := []time.Duration{0, 2, 4, 8, 16, 32}[min(round, 5)] * time.Second; s.hold != want {
				return fmt.Sprintf("at %v ejected for at least %v, want %v", s.at, s.hold, want)
			}
			round++
			hold, replies = s.at+s.hold, s.replies
		case s.to == Probation:
			if s.at < hold {
				return fmt.Sprintf("at %v in probation, the hold-down lasts until %v", s.at, hold)
			}
			if s.replies < replies+2 {
				return fmt.Sprintf("at %v in probation after %d replies", s.at, s.replies-replies)
			}
			repaired = s.repaired
		case s.to == Healthy && s.from == Probation:
			if s.repaired == repaired {
				return fmt.Sprintf("at %v healthy without being repaired", s.at)
			}
		}
	}
	return ""
}

// noFalseEjection: only a server that was sick a moment ago is ejected,
// whatever our own pauses and the requests' timeouts make of it.
func (w *world) noFalseEjection(rec *record, i int) string {
	for _, s := range rec.told[i] {
		if s.to != Ejected || !s.from.Usable() {
			continue
		}
		moment := 300 * ms
		if w.pauses.overlap(s.at-10*time.Second, s.at) {
			moment = 2300 * ms // the timeout may be stretched
		}
		if !w.lives[i].any(s.at-moment, s.at, func(c condition) bool { return c.sick() || c == full }) {
			return fmt.Sprintf("at %v ejected in good health", s.at)
		}
	}
	return ""
}

// detection: a server that falls sick and stays so is out in time.
func (w *world) detection(rec *record, i int) string {
	for _, s := range w.lives[i] {
		bound := w.bound(i, s.condition)
		end := s.from + bound
		if !s.condition.sick() || s.to < end || end > length || w.pauses.overlap(s.from-3*time.Second, end) ||
			w.lives[i].any(s.from-300*ms, s.from, func(c condition) bool { return c != up }) {
			continue
		}
		if !stateAt(rec.told[i], s.from).Usable() {
			continue
		}
		if !slices.ContainsFunc(rec.told[i], func(tr passage) bool { return tr.to == Ejected && tr.at >= s.from && tr.at <= end }) {
			return fmt.Sprintf("%s at %v, not ejected within %v", conditionNames[s.condition], s.from, bound)
		}
	}
	return ""
}

// bound is the time to detect a sickness.
func (w *world) bound(i int, c condition) time.Duration {
	switch {
	case w.traffic[i] == plenty && c == gone:
		return 300 * ms
	case w.traffic[i] == plenty:
		return 500 * ms
	case w.traffic[i] == few && c == gone:
		return 300 * ms
	case w.traffic[i] == few:
		return 1100 * ms
	case c == gone:
		return 1310 * ms
	}
	return 2110 * ms
}

// readmission: a server that is well again serves again, in time.
func (w *world) readmission(rec *record, i int) string {
	for _, s := range w.lives[i] {
		if s.condition != up || stateAt(rec.told[i], s.from) != Ejected {
			continue
		}
		end := s.from + 2800*ms
		for _, tr := range rec.told[i] {
			if tr.at <= s.from && tr.to == Ejected && tr.from.Usable() {
				end = max(end, tr.at+tr.hold+20*ms)
			}
		}
		if s.to < end || end > length || w.pauses.overlap(s.from-3*time.Second, end) {
			continue
		}
		if !slices.ContainsFunc(rec.told[i], func(tr passage) bool { return tr.to == Healthy && tr.at >= s.from && tr.at <= end }) {
			return fmt.Sprintf("up at %v, not healthy at %v", s.from, end)
		}
	}
	return ""
}

// isolation: without the others the same happens at the same times. (Pauses
// let many things fall into one moment, whose order is not ours to say.)
func (w *world) isolation(t *testing.T, rec *record) string {
	if w.pauses != nil {
		return ""
	}
	i := int(w.seed % uint64(len(w.lives)))
	alone := w.run(t, i)
	if !slices.Equal(alone.told[i], rec.told[i]) {
		return fmt.Sprintf("server %d: alone %v, in company %v", i, alone.told[i], rec.told[i])
	}
	return ""
}

// stateAt returns the state just before d.
func stateAt(told []passage, d time.Duration) State {
	state := Healthy
	for _, s := range told {
		if s.at < d {
			state = s.to
		}
	}
	return state
}
