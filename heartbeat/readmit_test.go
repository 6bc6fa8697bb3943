package heartbeat

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// outage runs a monitor with readmit through a kill at 5.5 s and a heal at
// 10 s.
func outage(t *testing.T, s *server, cfg Config) *watch {
	w := start(t, s, cfg)
	w.at(5500 * ms)
	s.set(killed)
	w.at(10 * time.Second)
	if w.State() != Ejected {
		t.Fatalf("%v after the kill", w.State())
	}
	w.lines()
	s.set(none)
	return w
}

func TestReadmitLearnsWhoIsBack(t *testing.T) {
	for _, tc := range []struct {
		name               string
		change             func(*server)
		known, same, empty bool
	}{
		{"the same", func(*server) {}, true, true, false},
		{"a new one, empty", func(s *server) { s.pid = 101 }, true, false, true},
		{"a new one with items", func(s *server) { s.pid, s.items = 101, 5 }, true, false, false},
		{"a proxy that hangs up on stats", func(s *server) { s.noStats = true }, false, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer()
			var got []Incarnation
			cfg := Config{Readmit: func(_ context.Context, i Incarnation) error {
				got = append(got, i)
				return nil
			}}
			w := outage(t, s, cfg)
			s.change(func() {
				tc.change(s)
			})
			w.at(15 * time.Second)
			if len(got) != 1 || got[0].Known != tc.known || got[0].Same != tc.same || got[0].Empty() != tc.empty {
				t.Errorf("%s: %+v", tc.name, got)
			}
			if w.State() != Healthy || w.told[1].Incarnation != got[0] {
				t.Errorf("%s: %v, told %+v", tc.name, w.State(), w.told[1])
			}
		})
	}
}

func TestHealthyOnlyAfterReadmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from, to time.Duration
		began := time.Now()
		w := outage(t, newServer(), Config{Readmit: func(context.Context, Incarnation) error {
			from = time.Since(began)
			time.Sleep(3 * time.Second)
			to = time.Since(began)
			return nil
		}})
		w.at(20 * time.Second)
		w.expect(
			fmt.Sprintf("%d probation: replies again", from.Milliseconds()),
			fmt.Sprintf("%d healthy: readmitted", to.Milliseconds()),
		)
	})
}

func TestReadmitIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		w := outage(t, newServer(), Config{Readmit: func(context.Context, Incarnation) error {
			if calls++; calls < 3 {
				return errTest
			}
			return nil
		}})
		w.at(30 * time.Second)
		states := ""
		for _, tr := range w.told {
			states += tr.To.String()[:1]
			if tr.To == Ejected && (tr.Err != errTest || tr.Reason != ReasonReadmit) {
				t.Errorf("%+v", tr)
			}
		}
		if states != "pepeph" || w.Snapshot().Ejections != 1 {
			t.Errorf("transitions %q, %d ejections", states, w.Snapshot().Ejections)
		}
	})
}

func TestReadmitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		w := outage(t, newServer(), Config{Readmit: func(ctx context.Context, _ Incarnation) error {
			began := time.Now()
			<-ctx.Done()
			took = time.Since(began)
			return ctx.Err()
		}})
		w.at(30 * time.Second)
		if took != 10*time.Second {
			t.Errorf("Readmit was given %v", took)
		}
	})
}

func TestFailedProbeEndsReadmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, overlap := 0, false
		s := newServer()
		w := outage(t, s, Config{Readmit: func(ctx context.Context, _ Incarnation) error {
			running++
			overlap = overlap || running > 1
			<-ctx.Done()
			time.Sleep(3 * time.Second) // slow to give up
			running--
			return nil
		}})
		for w.State() != Probation {
			sleep(10 * ms)
		}
		began := time.Now()
		s.set(killed)
		for w.State() != Ejected {
			sleep(10 * ms)
		}
		if d := time.Since(began); d > 1100*ms {
			t.Errorf("back to ejected after %v", d)
		}
		s.set(none)
		sleep(2900 * ms)
		if w.State() == Healthy {
			t.Error("healthy by the end of an abandoned Readmit")
		}
		sleep(20 * time.Second)
		if overlap {
			t.Error("two calls of Readmit at a time")
		}
	})
}
