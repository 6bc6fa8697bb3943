package heartbeat

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

func TestIdleServerIsOutInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5*time.Second + 1) // just after a reply: the worst moment
		s.set(blackHole)
		w.at(8 * time.Second)
		w.expect("6251 suspect: probe failed", "6951 ejected: probes failed")
	})
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5*time.Second + 1)
		s.set(hang)
		w.at(8 * time.Second)
		w.expect("6251 suspect: probe failed", "6953 ejected: probes failed")
	})
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5*time.Second + 1)
		s.set(killed)
		w.at(8 * time.Second)
		w.expect("6000 suspect: probe failed", "6200 ejected: probes failed")
	})
}

// TestDetectionBoundsAtEveryMoment lets the fault come at any moment between
// two probes, with the jitter at either end, and holds detection against the
// promised bounds.
func TestDetectionBoundsAtEveryMoment(t *testing.T) {
	for _, tc := range []struct {
		name     string
		fault    fault
		timeouts int // reported 100 ms after the fault, on as many connections
		resets   int // reported with the fault
		bound    time.Duration
	}{
		{"black hole, idle", blackHole, 0, 0, 2100 * ms},
		{"black hole, one timeout", blackHole, 1, 0, 1100 * ms},
		{"black hole, evidence", blackHole, 3, 0, 500 * ms},
		{"hang, idle", hang, 0, 0, 2100 * ms},
		{"hang, one timeout", hang, 1, 0, 1100 * ms},
		{"hang, evidence", hang, 3, 0, 500 * ms},
		{"kill, idle", killed, 0, 0, 1300 * ms},
		{"kill, one reset", killed, 0, 1, 300 * ms},
		{"kill, evidence", killed, 0, 2, 100 * ms},
	} {
		worst := time.Duration(0)
		for _, random := range []float64{0, 0.5, 0.999} {
			for offset := time.Duration(0); offset <= 2300*ms; offset += 10 * ms {
				synctest.Test(t, func(t *testing.T) {
					s := newServer()
					w := start(t, s, Config{Renew: 2 * time.Second, random: func() float64 { return random }})
					w.at(3*time.Second + offset)
					s.set(tc.fault)
					began := time.Now()
					for i := range tc.resets {
						w.Report(Evidence{Kind: Reset, Conn: uint64(i)})
					}
					sleep(100 * ms)
					for i := range tc.timeouts {
						w.Report(Evidence{Kind: Timeout, Conn: uint64(i)})
					}
					sleep(3 * time.Second)
					worst = max(worst, w.Snapshot().EjectedAt.Sub(began))
					if w.State() != Ejected {
						t.Fatalf("%s at %v, jitter %v: not detected", tc.name, offset, random)
					}
				})
			}
		}
		if worst > tc.bound {
			t.Errorf("%s: detected after up to %v, want at most %v", tc.name, worst, tc.bound)
		}
		t.Logf("%s: detected after up to %v", tc.name, worst)
	}
}

func TestStandInsNeedOneFailedProbeOnAFreshConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5500 * ms)
		for i := range 1000 {
			w.Report(Evidence{Kind: Timeout, Conn: uint64(i)})
			w.Report(Evidence{Kind: DialRefused})
			sleep(ms)
		}
		for _, tr := range w.told {
			if tr.To != Suspect && tr.To != Healthy {
				t.Errorf("a server that answers its probes became %v", tr.To)
			}
		}
		if n := len(w.told); n == 0 || n > 4 {
			t.Errorf("%d transitions in a second of evidence", n)
		}
	})
}

func TestReportsCauseOneProbePer100ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5500 * ms)
		s.change(func() { s.asked = nil })
		for range 10_000 {
			w.Report(Evidence{Kind: Timeout, Conn: 1})
			sleep(100 * time.Microsecond)
		}
		if n := len(s.asked); n != 11 {
			t.Errorf("%d probes in 1000 ms of timeouts, want 11", n)
		}
		for i := 1; i < len(s.asked); i++ {
			if gap := s.asked[i].Sub(s.asked[i-1]); gap < 100*ms {
				t.Errorf("prompted probes %v apart", gap)
			}
		}
		if got := w.Snapshot().Prompted; got != 11 {
			t.Errorf("%d prompted probes counted, want 11", got)
		}
		w.expect()
	})
}

func TestReportDuringAProbeAsksForAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5500 * ms)
		s.change(func() { s.delay, s.asked = 200*ms, nil })
		w.Report(Evidence{Kind: Timeout, Conn: 1})
		sleep(100 * ms)
		w.Report(Evidence{Kind: Timeout, Conn: 1})
		sleep(900 * ms)
		var asked []int64
		for _, at := range s.asked {
			asked = append(asked, at.Sub(w.start).Milliseconds())
		}
		if fmt.Sprint(asked) != "[5500 5700]" {
			t.Errorf("probes at %v", asked)
		}
	})
}

func TestSuccessDoesNotHideWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5500 * ms)
		s.set(killed)
		w.Report(Evidence{Kind: Reset, Conn: 1})
		w.at(5510 * ms)
		w.Report(Evidence{Kind: Success, Conn: 2})
		w.Report(Evidence{Kind: DialRefused})
		w.at(5590 * ms)
		w.expect("5500 suspect: probe failed", "5510 ejected: probe and requests failed")
	})
}

func TestReadmittedOnRepliesNeverOnAConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5*time.Second + 1)
		s.set(hang) // accepts all the time
		w.at(60 * time.Second)
		w.expect("6251 suspect: probe failed", "6953 ejected: probes failed")
		s.set(none)
		w.at(65 * time.Second)
		got := w.told[0].At.Sub(w.start)
		w.expect(fmt.Sprintf("%d probation: replies again", got.Milliseconds()), fmt.Sprintf("%d healthy: readmitted", got.Milliseconds()))
		if got > 62*time.Second+351*ms {
			t.Errorf("back after %v", got-60*time.Second)
		}
	})
}

func TestHoldDownGrowsWithEachEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		var out []time.Duration
		for range 7 {
			sleep(3 * time.Second)
			s.set(killed)
			sleep(1300 * ms)
			if w.State() != Ejected {
				t.Fatal("not ejected")
			}
			s.set(none)
			ejected := w.Snapshot().EjectedAt
			for w.State() != Healthy {
				sleep(10 * ms)
			}
			out = append(out, w.Snapshot().Readmitted.Sub(ejected))
		}
		for i, least := range []time.Duration{0, 2, 4, 8, 16, 32, 60} {
			least *= time.Second
			if out[i] < least || out[i] > max(least, 3*time.Second)+ms {
				t.Errorf("ejection %d lasted %v, hold-down %v", i+1, out[i], least)
			}
		}
		sleep(2 * time.Minute) // forgotten
		s.set(killed)
		sleep(1300 * ms)
		if s := w.Snapshot(); s.State != Ejected || s.HoldUntil.After(s.EjectedAt) {
			t.Errorf("%v, held down for %v after two healthy minutes", s.State, s.HoldUntil.Sub(s.EjectedAt))
		}
	})
}

func TestForgiveEndsTheHoldDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{HoldDown: time.Minute})
		for range 2 {
			sleep(5 * time.Second)
			s.set(killed)
			sleep(1300 * ms)
			s.set(none)
		}
		sleep(10 * time.Second)
		if w.State() != Ejected {
			t.Fatal("not held down")
		}
		w.lines()
		w.Forgive()
		synctest.Wait()
		if w.State() != Healthy {
			t.Errorf("%v after Forgive", w.State())
		}
	})
}

func TestForgivenServerIsBackWithinASecond(t *testing.T) {
	for heal := 20 * time.Second; heal < 23*time.Second; heal += 37 * ms {
		synctest.Test(t, func(t *testing.T) {
			s := newServer()
			w := start(t, s, Config{random: func() float64 { return 0.999 }})
			w.at(5 * time.Second)
			s.set(killed)
			w.at(15 * time.Second)
			w.Forgive()
			w.at(heal)
			s.set(none)
			sleep(time.Second)
			if w.State() != Healthy {
				t.Errorf("%v a second after the heal at %v", w.State(), heal)
			}
		})
	}
}

func TestConnectionIsRenewedWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(95 * time.Second)
		var dials []int
		for _, d := range s.dials {
			dials = append(dials, int(d.Sub(w.start).Seconds()))
		}
		if fmt.Sprint(dials) != "[0 30 60 90]" {
			t.Errorf("dialed at %v s", dials)
		}
		if len(s.conns) != 1 {
			t.Errorf("%d connections open", len(s.conns))
		}
		if snap := w.Snapshot(); snap.Failures+snap.Inconclusive != 0 {
			t.Errorf("renewal left %d failures, %d inconclusive", snap.Failures, snap.Inconclusive)
		}
		w.expect()
	})
}

func TestServerAtItsConnectionLimitStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(10 * time.Second)
		s.set(limited)
		for range 300 {
			sleep(time.Second)
			w.Report(Evidence{Kind: Timeout, Conn: 1}) // now and then one is slow
		}
		w.expect()
		if snap := w.Snapshot(); snap.LastErr == nil || snap.State != Healthy {
			t.Errorf("%v, last error %v", snap.State, snap.LastErr)
		}
	})
}

func TestRequestsKeepALimitedServerIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(10250 * ms)
		s.set(limited)
		s.change(func() {
			s.hangUp() // the old connection is gone as well
		})
		for range 3000 {
			sleep(10 * ms)
			w.Report(Evidence{Kind: Success})
		}
		w.expect("11250 suspect: probe failed")
		sleep(time.Second) // no more requests
		if w.State() != Ejected {
			t.Errorf("%v without requests", w.State())
		}
	})
}

func TestServerMayCloseTheIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		for range 10 {
			sleep(1500 * ms)
			s.change(func() {
				s.hangUp()
			})
		}
		w.at(20 * time.Second)
		w.expect()
		if snap := w.Snapshot(); snap.Failures != 0 || snap.Inconclusive != 10 {
			t.Errorf("%d failures, %d inconclusive", snap.Failures, snap.Inconclusive)
		}
	})
}

func TestWantOfDescriptorsIsNotTheServersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(10 * time.Second)
		s.change(func() {
			s.dialErr = &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
			s.hangUp()
		})
		w.at(60 * time.Second)
		w.expect()
		if err := w.Snapshot().LastErr; !errors.Is(err, syscall.EMFILE) {
			t.Errorf("last error %v", err)
		}
		if n := len(s.dials); n > 600 {
			t.Errorf("%d dials in 50 s", n)
		}
	})
}

func TestSomethingElseListens(t *testing.T) {
	for reply, want := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n\r\n":    `not memcached: it speaks HTTP: "HTTP/1.1 400 Bad Request"`,
		"ERROR Too many open connections\r\n": `server replied "ERROR Too many open connections"`,
		"VERSION 1.6.18\r\nmore":              `not memcached: unexpected reply "VERSION 1.6.18"`,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer()
			s.reply = reply
			w := start(t, s, Config{})
			w.at(time.Second)
			if w.told[len(w.told)-1].Err.Error() != want {
				t.Errorf("error %v, want %s", w.told[len(w.told)-1].Err, want)
			}
			w.expect("0 suspect: probe failed", "200 ejected: probes failed")
		})
	}
}

func TestHalfAReplyIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.reply = "VERSION 1.6"
		w := start(t, s, Config{})
		w.at(2 * time.Second)
		w.expect("251 suspect: probe failed", "953 ejected: probes failed")
	})
}

func TestSlowServerIsOutAndAFastEnoughOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.delay = 249 * ms
		w := start(t, s, Config{})
		w.at(60 * time.Second)
		w.expect()
		s.change(func() {
			s.delay = 300 * ms
		})
		sleep(2100 * ms)
		if w.State() != Ejected {
			t.Errorf("slow server is %v", w.State())
		}
	})
}

func TestServerDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(killed)
		w := start(t, s, Config{})
		w.at(time.Second) // suspect comes after healthy only
		w.expect("0 suspect: probe failed", "200 ejected: probes failed")
	})
}

func TestNewServerServesAfterItsFirstReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{Initial: Probation})
		if w.State() != Probation {
			t.Errorf("starts in %v", w.State())
		}
		synctest.Wait()
		w.expect("0 healthy: readmitted")
	})
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(killed)
		w := start(t, s, Config{Initial: Probation})
		w.at(10 * time.Second)
		w.expect("0 ejected: probe failed")
		if !w.Snapshot().EjectedAt.IsZero() {
			t.Error("counts as ejected though it has never served")
		}
		s.set(none)
		w.at(20 * time.Second)
		if w.State() != Healthy {
			t.Errorf("%v although it answers", w.State())
		}
	})
}

func TestOperatorsWord(t *testing.T) {
	for _, tc := range []struct {
		order  func(*Monitor)
		reason Reason
	}{{(*Monitor).Eject, ReasonOperator}, {(*Monitor).Drain, ReasonDrain}} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer()
			w := start(t, s, Config{})
			w.at(5500 * ms)
			tc.order(w.Monitor)
			w.at(100 * time.Second)
			w.expect("5500 ejected: " + string(tc.reason))
			if !w.Snapshot().Pinned {
				t.Error("not pinned")
			}
			w.Resume()
			w.at(110 * time.Second)
			w.expect("100100 probation: replies again", "100100 healthy: readmitted")

			sleep(time.Second) // the operator's word was no mark against it
			s.set(killed)
			sleep(2 * time.Second)
			if snap := w.Snapshot(); snap.State != Ejected || snap.HoldUntil.After(snap.EjectedAt) {
				t.Errorf("%v, held down for %v", snap.State, snap.HoldUntil.Sub(snap.EjectedAt))
			}
		})
	}
}

func TestOnlyTheLastWordCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, newServer(), Config{})
		w.at(5500 * ms)
		w.Eject()
		w.Resume()
		w.at(10 * time.Second)
		w.expect()
	})
}
