package heartbeat

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// process stands for this process: while it is paused, nothing that a probe
// waits for wakes it up.
type process struct {
	mu    sync.Mutex
	until time.Time
}

// pause stops the process for d.
func (p *process) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(d)
}

// wake returns when the process runs.
func (p *process) wake() {
	p.mu.Lock()
	until := p.until
	p.mu.Unlock()
	time.Sleep(time.Until(until))
}

func (p *process) dial(dial dialFunc) dialFunc {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		p.wake()
		if err != nil {
			return nil, err
		}
		return &pausedConn{conn, p}, nil
	}
}

type pausedConn struct {
	net.Conn
	p *process
}

func (c *pausedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.p.wake()
	return n, err
}

// startPaused is start with a process that can be paused.
func startPaused(t *testing.T, s *server, cfg Config) (*watch, *process) {
	p := &process{}
	return startWith(t, s, cfg, p.dial), p
}

func TestDeadlineSeenLateIsNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w, p := startPaused(t, s, Config{})
		w.at(5990 * ms)
		s.set(hang)
		w.at(6100 * ms)
		p.pause(171 * ms) // until 6271, the deadline is at 6250
		w.at(6200 * ms)
		s.set(none)
		w.at(6273 * ms)
		w.expect()
		snap := w.Snapshot()
		if snap.Failures != 0 || snap.Inconclusive != 1 {
			t.Errorf("%d failures, %d inconclusive", snap.Failures, snap.Inconclusive)
		}
		if n := len(s.asked); s.asked[n-1].Sub(w.start).Truncate(ms) != 6272*ms {
			t.Errorf("repeated at %v", s.asked[n-1].Sub(w.start))
		}
	})
}

func TestDeadlineSeenInTimeIsEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w, p := startPaused(t, s, Config{})
		w.at(5990 * ms)
		s.set(hang)
		w.at(6100 * ms)
		p.pause(165 * ms) // until 6265
		w.at(6300 * ms)
		if lag := w.told[0].SelfLag; lag != 16*ms {
			t.Errorf("lag %v", lag)
		}
		w.expect("6266 suspect: probe failed")
	})
}

func TestReplyInTheSocketIsNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		w, p := startPaused(t, s, Config{})
		w.at(5990 * ms)
		s.change(func() {
			s.delay = 255 * ms
		})
		w.at(6240 * ms)
		p.pause(20 * ms) // until 6260, the reply comes at 6255
		w.at(6255 * ms)
		s.change(func() {
			s.delay = 0
		})
		w.at(8 * time.Second)
		w.expect()
		if snap := w.Snapshot(); snap.Failures != 0 || snap.Inconclusive != 1 {
			t.Errorf("%d failures, %d inconclusive", snap.Failures, snap.Inconclusive)
		}
	})
}

func TestLateDialIsNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(blackHole)
		w, p := startPaused(t, s, Config{})
		w.at(100 * ms)
		p.pause(time.Second)
		s.set(none)
		w.at(5 * time.Second)
		w.expect()
	})
}

// TestPausedProcessEjectsNobody pauses the process again and again, with the
// requests of the application reporting their timeouts whenever it runs.
func TestPausedProcessEjectsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := startPaused(t, newServer(), Config{})
		for i := range 200 {
			p.pause(time.Duration(50+i*7) * ms)
			p.wake()
			for c := range uint64(10) {
				w.Report(Evidence{Kind: Timeout, Conn: c})
			}
			sleep(time.Duration(1+i%13) * 10 * ms)
		}
		if n := w.Snapshot().Ejections; n != 0 {
			t.Errorf("%d ejections of a healthy server", n)
		}
	})
}

func TestBlackHoleIsFoundByAProcessThatIsAlwaysLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		p := &process{}
		slow := func(dial dialFunc) dialFunc {
			return p.dial(func(ctx context.Context) (net.Conn, error) {
				conn, err := dial(ctx)
				p.pause(100 * ms)
				return conn, err
			})
		}
		w := startWith(t, s, Config{}, slow)
		w.at(5 * time.Second)
		s.set(blackHole)
		w.at(30 * time.Second)
		if w.State() != Ejected {
			t.Errorf("%v after 25 s", w.State())
		}
	})
}
