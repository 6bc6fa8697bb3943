package heartbeat

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestStopReturnsAtOnce stops a monitor in every situation. That no goroutine
// stays is checked by synctest: the bubble would not end.
func TestStopReturnsAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*server){
		"idle":                 func(*server) {},
		"while dialing":        func(s *server) { s.set(blackHole) },
		"while reading":        func(s *server) { s.set(hang) },
		"while a reply drips":  func(s *server) { s.reply = "VERS" },
		"refused":              func(s *server) { s.set(killed) },
		"while a reply is due": func(s *server) { s.delay = 200 * ms },
	} {
		for _, after := range []time.Duration{0, ms, 50 * ms, 101 * ms, 1050 * ms} {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				prepare(s)
				w := start(t, s, Config{})
				if after > 0 { // at 0 it may not even have begun
					sleep(after)
				}
				began := time.Now()
				w.Stop()
				w.Stop()
				if d := time.Since(began); d != 0 {
					t.Errorf("%s, after %v: Stop took %v", name, after, d)
				}
				sleep(10 * time.Second)
				before := len(s.dials)
				w.Report(Evidence{Kind: DialRefused})
				w.Eject()
				sleep(10 * time.Second)
				if len(s.dials) != before {
					t.Errorf("%s, after %v: probed after Stop", name, after)
				}
			})
		}
	}
}

func TestStopCancelsReadmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		w := start(t, newServer(), Config{Initial: Probation, Readmit: func(ctx context.Context, _ Incarnation) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return ctx.Err()
		}})
		sleep(ms)
		w.Stop()
		if !ended {
			t.Error("Stop returned before Readmit")
		}
		w.expect()
	})
}

func TestNoConnectionStaysWithALostServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w := start(t, s, Config{})
		w.at(5500 * ms)
		s.set(hang)
		for c := range uint64(3) {
			w.Report(Evidence{Kind: Timeout, Conn: c})
		}
		w.at(5752 * ms)
		if w.State() != Ejected || len(s.conns) != 0 {
			t.Errorf("%v, with %d connections open", w.State(), len(s.conns))
		}
	})
}
