package heartbeat

import (
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

func TestIdleBlackHoleIsOutWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5*time.Second + 1) // just after a reply: the worst moment
		s.set(blackHole)
		w.at(8 * time.Second)
		w.expect("6251 suspect: probe failed", "6951 ejected: probes failed")
		s.set(none)
		w.at(20 * time.Second)
		w.expect("8801 probation: replies again", "8801 healthy: readmitted")
	})
}

func TestKillWithEvidenceIsOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5*time.Second + 500*ms)
		s.set(killed)
		w.Report(Evidence{Kind: Reset, Conn: 1})
		w.Report(Evidence{Kind: Reset, Conn: 2})
		w.at(6 * time.Second)
		w.expect("5500 suspect: requests failed", "5500 ejected: probe and requests failed")
	})
}
