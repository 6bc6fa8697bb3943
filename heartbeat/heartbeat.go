// Package heartbeat watches memcached servers. One [Monitor] watches one
// server, with one goroutine and one connection that does nothing else, so that
// neither the requests of the application nor the trouble of another server can
// delay it. It says whether the server is [Healthy], [Suspect], [Ejected] or in
// [Probation].
//
// A server is judged by what its probes run into (refused, reset, no reply
// before the deadline, something that is not memcached), never by how long
// something took: a deadline error that this process sees too late, or with the
// reply already in the socket, tells about this process and is repeated. What
// requests saw can speed the verdict up ([Monitor.Report]), but never reach it
// without a failed probe on a fresh connection.
//
// [Judge] joins the states of all servers into the view that requests follow.
package heartbeat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

var errBusy = errors.New("heartbeat: the previous readmission has not ended")

// Monitor watches one server until Stop. Its methods are safe for concurrent
// use; none blocks but Stop.
type Monitor struct {
	cfg    Config
	prober *prober
	shown  atomic.Pointer[Snapshot]
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // one token: mail has come

	mu   sync.Mutex // guards the fields below
	mail mail
	// tally is the sum of the evidence; the machine knows which part of it is
	// settled.
	tally tally
}

// mail is what others want the loop to know. It does not grow: only the last
// word of an operator counts.
type mail struct {
	reported bool // the tally has grown
	urgent   bool // by something against the server
	forgive  bool
	operator bool
	word     eventKind // toEject, toDrain or toResume
}

// Start watches the server at addr, "host:port" or "unix:/path", and sends the
// first probe at once. A configuration that [Config.Validate] objects to is
// mended with the defaults. OnTransition may be called before Start returns.
//
// The monitor's goroutine lives until Stop. A second one lives during each dial,
// a third during each call of Readmit.
func Start(addr string, cfg Config) *Monitor {
	cfg = cfg.filled()
	if cfg.Dial == nil {
		cfg.Dial = dialAddr(addr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Monitor{cfg: cfg, cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	m.prober = &prober{cfg: &m.cfg}
	now := time.Now()
	l := &loop{
		Monitor: m,
		machine: begin(&m.cfg, now),
		snap:    Snapshot{Addr: addr, Since: now},
		timer:   time.NewTimer(0),
	}
	l.publish()
	go l.run(ctx)
	return m
}

// State says how the server is. It costs one atomic load.
func (m *Monitor) State() State { return m.shown.Load().State }

// Snapshot returns all that is known of the server. Its fields belong to one
// moment.
func (m *Monitor) Snapshot() Snapshot { return *m.shown.Load() }

// Report takes in what a request saw. It is meant for the request path: it
// does no I/O, waits for nobody but another Report, and any number of calls
// cause one probe per 100 ms at most.
func (m *Monitor) Report(e Evidence) {
	switch s := m.State(); {
	case !s.Usable(), e.Kind == Success && s == Healthy:
		return // it would change nothing
	}
	now := time.Now()
	m.mu.Lock()
	m.tally.add(e, now)
	first := !m.mail.urgent && e.Kind != Success
	m.mail.reported = true
	m.mail.urgent = m.mail.urgent || first
	strong := m.tally.strong(now.Add(-evidenceWindow))
	m.mu.Unlock()
	if first {
		m.ring()
	}
	if strong {
		m.prober.cut()
	}
}

// Eject takes the server out until Resume, on an operator's word, as soon as
// the probe under way has ended. Its probes go on, for Snapshot to show. Eject
// and Drain differ in the Reason only: it tells the client to cut requests off,
// or to let them end.
func (m *Monitor) Eject() { m.order(toEject) }

// Drain is Eject for a server whose requests under way may end.
func (m *Monitor) Drain() { m.order(toDrain) }

// Resume lets a server back in that Eject or Drain took out, by way of
// Probation and without hold-down, as soon as it answers. For a server that
// failures ejected it drops the hold-down and probes at once.
func (m *Monitor) Resume() { m.order(toResume) }

// Forgive drops the hold-down of the current ejection, does not count it for
// the next one, and keeps the probes at EjectedInterval. It is for ejections
// that were not the server's fault, and for when no server is left; see [View].
// It may be called again and again.
func (m *Monitor) Forgive() {
	m.mu.Lock()
	m.mail.forgive = true
	m.mu.Unlock()
	m.ring()
}

func (m *Monitor) order(word eventKind) {
	m.mu.Lock()
	m.mail.operator, m.mail.word = true, word
	m.mu.Unlock()
	m.ring()
}

// ring wakes the loop up. The token may be there already: the loop takes it
// before it looks at the mail, so no mail is left lying.
func (m *Monitor) ring() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// takeTally returns all evidence and takes it out of the mail.
func (l *loop) takeTally() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mail.reported, l.mail.urgent = false, false
	return l.tally
}

// takeMail hands what has come to the machine.
func (l *loop) takeMail() {
	l.mu.Lock()
	got, sum := l.mail, l.tally
	l.mail = mail{}
	l.mu.Unlock()
	if got.reported {
		l.step(event{kind: reported, tally: sum})
	}
	if got.operator {
		l.step(event{kind: got.word})
	}
	if got.forgive {
		l.step(event{kind: toForgive})
	}
}

// Stop ends the probes. It returns after the monitor's goroutines have ended
// and its connection is closed; a call of Readmit under way is cancelled and
// waited for. State and Snapshot go on to show the last state. Further calls
// return at once.
func (m *Monitor) Stop() {
	m.cancel()
	m.prober.stop()
	<-m.done
}
