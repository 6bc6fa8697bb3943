package heartbeat

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fault is what the test's server does instead of answering.
type fault int

const (
	none      fault = iota
	blackHole       // neither dials nor requests are answered
	hang            // accepts and reads, never replies
	killed          // connections reset, dials refused
	limited         // as at the connection limit: what is open works, no more dials are answered
)

// server is a memcached at the other end of net.Pipe, for use in a synctest
// bubble.
type server struct {
	mu      sync.Mutex // guards the fields below
	fault   fault
	reply   string        // instead of the version line
	delay   time.Duration // before each reply
	pid     int
	items   int
	noStats bool  // hangs up on stats
	dialErr error // of every dial
	conns   map[net.Conn]bool
	dials   []time.Time
	asked   []time.Time // when each version request came
	wg      sync.WaitGroup
}

func newServer() *server {
	return &server{reply: "VERSION 1.6.18\r\n", pid: 100, conns: make(map[net.Conn]bool)}
}

// set changes the fault and applies it to the connections there are.
func (s *server) set(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	if f == killed {
		s.hangUp()
	}
}

// change applies f, under the lock.
func (s *server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// hangUp closes all connections. s.mu is held.
func (s *server) hangUp() {
	for c := range s.conns {
		_ = c.Close()
	}
}

func (s *server) dial(ctx context.Context) (net.Conn, error) {
	s.mu.Lock()
	s.dials = append(s.dials, time.Now())
	f, err := s.fault, s.dialErr
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	switch f {
	case killed:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case blackHole, limited:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
	}
	near, far := net.Pipe()
	s.mu.Lock()
	s.conns[far] = true
	s.mu.Unlock()
	s.wg.Go(func() { s.serve(far) })
	return near, nil
}

func (s *server) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		reply, delay, ok := s.answer(strings.TrimSpace(line))
		if !ok {
			return
		}
		if reply == "" {
			continue
		}
		time.Sleep(delay)
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

func (s *server) answer(command string) (reply string, delay time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if command == "version" {
		s.asked = append(s.asked, time.Now())
	}
	switch {
	case s.fault == hang, s.fault == blackHole:
		return "", 0, true
	case command == "version":
		return s.reply, s.delay, true
	case command == "stats" && s.noStats:
		return "", 0, false
	case command == "stats":
		return fmt.Sprintf("STAT pid %d\r\nSTAT uptime 50\r\nSTAT time 1000\r\nSTAT version 1.6.18\r\nSTAT curr_items %d\r\nEND\r\n", s.pid, s.items), s.delay, true
	}
	return "ERROR\r\n", 0, true
}

// watch is a monitor of a test with what it told.
type watch struct {
	*Monitor
	t     *testing.T
	start time.Time
	mu    sync.Mutex // guards the fields below
	told  []Transition
}

// start runs a monitor without jitter in a synctest bubble. Both it and the
// server are gone before the bubble ends.
func start(t *testing.T, s *server, cfg Config) *watch {
	t.Helper()
	return startWith(t, s, cfg, nil)
}

type dialFunc = func(context.Context) (net.Conn, error)

// startWith is start with something around the server's dial.
func startWith(t *testing.T, s *server, cfg Config, wrap func(dialFunc) dialFunc) *watch {
	t.Helper()
	w := &watch{t: t, start: time.Now()}
	cfg.Dial = s.dial
	if wrap != nil {
		cfg.Dial = wrap(cfg.Dial)
	}
	if cfg.random == nil {
		cfg.random = func() float64 { return 0.5 }
	}
	cfg.OnTransition = func(tr Transition) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, tr)
	}
	w.Monitor = Start("test:11211", cfg)
	t.Cleanup(func() {
		w.Stop()
		s.mu.Lock()
		s.hangUp()
		s.mu.Unlock()
		s.wg.Wait()
	})
	return w
}

// lines returns what the monitor told since the last call, one line each:
// milliseconds since the start, the new state, the reason.
func (w *watch) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	for _, tr := range w.told {
		lines = append(lines, fmt.Sprintf("%d %v: %s", tr.At.Sub(w.start).Milliseconds(), tr.To, tr.Reason))
	}
	w.told = nil
	return lines
}

// expect compares what was told with want.
func (w *watch) expect(want ...string) {
	w.t.Helper()
	got := w.lines()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("transitions:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// at sleeps until d after the start.
func (w *watch) at(d time.Duration) { sleep(time.Until(w.start.Add(d))) }

// sleep lets d pass, and then everybody who is due at that moment go first.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
