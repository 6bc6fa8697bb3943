package heartbeat

import "time"

// The health of one server is a value, machine, and a function, step, that is
// pure and total: every event is answered in every state, from the arguments
// alone. The loop around it does the I/O.

// machine is all that decides about one server.
type machine struct {
	state State
	next  plan // the probe to send next

	fails     int  // failed probes in a row
	freshFail bool // one of them was on a fresh connection
	doubts    int  // inconclusive probes in a row
	goods     int  // good replies in a row while ejected

	tally    tally
	answered time.Time // when the last probe that got a reply was sent; evidence from before is settled
	calm     time.Time // until then evidence alone makes no suspect
	prompted time.Time // the last probe that evidence asked for
	renewed  time.Time // when a new probe connection was last tried
	asked    bool      // for stats, while healthy

	pinned     bool // an operator keeps the server out
	replaying  bool // Config.Readmit runs
	forgiven   bool // the current ejection was our fault, not the server's
	round      int  // ejections that count for the hold-down
	ejectedAt  time.Time
	readmitted time.Time
	holdUntil  time.Time
	backoff    time.Duration // the next pause between probes while ejected
}

// plan is a probe to be sent.
type plan struct {
	at      time.Time
	timeout time.Duration
	fresh   bool // on a connection of its own
	keep    bool // with fresh: do not close the old connection before the new one answered
	stats   bool // read stats instead of a mere sign of life
}

type eventKind uint8

const (
	// Results of a probe.
	good       eventKind = iota // the reply came
	failed                      // refused, reset, end of file, wrong reply
	timedOut                    // a deadline error
	closed                      // a kept connection was found closed, nothing read
	ourFault                    // this process lacks what it takes to ask
	cut                         // given up for a probe on a fresh connection
	identified                  // the reply to stats, or that there is none

	// Everything else.
	reported   // evidence from requests has come
	readmitted // Config.Readmit returned
	toEject    // an operator's word
	toDrain
	toResume
	toForgive
	numEvents
)

// event is one thing that happened.
type event struct {
	kind   eventKind
	random float64 // in [0,1), for the jitter

	// of a probe's result
	began   time.Time
	fresh   bool
	second  bool          // the old connection is still there for a second opinion
	late    time.Duration // timedOut: how late we saw the deadline error
	replied bool          // timedOut: the reply was in the socket all the same

	tally tally // of reported, and of a probe's result: all evidence so far
	err   error // of readmitted and of a probe; the machine only asks whether there is one
}

// orders tell the loop what to do beside machine.next.
type orders struct {
	reason  Reason // of a transition; empty without one
	replay  bool   // call Config.Readmit
	abandon bool   // cancel the call of Config.Readmit
}

const (
	// promptGap is the least time between two probes asked for by evidence.
	promptGap = 100 * time.Millisecond
	// patience is how many inconclusive probes in a row we take for our own
	// lag: a process that is always late must still find out in the end.
	patience = 5
	// maxStretch bounds the timeout of a probe repeated for our own lag to
	// Timeout<<maxStretch.
	maxStretch = 3

	intervalJitter = 0.1
	ejectedJitter  = 0.2
)

// begin returns the machine of a server that is watched from now on.
func begin(c *Config, now time.Time) machine {
	return machine{state: c.Initial, next: plan{at: now, timeout: c.Timeout, fresh: true}}
}

// step is the transition function.
func step(c *Config, m machine, e event, now time.Time) (machine, orders) {
	if e.kind <= reported {
		m.tally = e.tally
	}
	switch e.kind {
	case good:
		return m.onGood(c, e, now)
	case failed:
		m.doubts = 0
		return m.onFailed(c, e, now)
	case timedOut:
		return m.onTimedOut(c, e, now)
	case closed:
		return m.probe(c, now), orders{}
	case ourFault:
		return m.onOurFault(c, e, now), orders{}
	case cut:
		return m.onCut(c, e, now)
	case identified:
		return m.onIdentified(c, e, now)
	case reported:
		return m.onReported(c, e, now)
	case readmitted:
		return m.onReadmitted(c, e, now)
	case toEject:
		return m.takeOut(c, now, ReasonOperator)
	case toDrain:
		return m.takeOut(c, now, ReasonDrain)
	case toResume:
		return m.onResume(c, now), orders{}
	case toForgive:
		return m.onForgive(c, now), orders{}
	}
	return m, orders{}
}

// probe plans a probe on a fresh connection. A healthy server keeps the old one
// for a second opinion. Inconclusive probes stretch the timeout, so that a busy
// process gets the time it needs.
func (m machine) probe(c *Config, at time.Time) machine {
	stretch := min(max(m.doubts-1, 0), maxStretch)
	m.next = plan{at: at, timeout: c.Timeout << stretch, fresh: true, keep: m.state == Healthy, stats: m.next.stats}
	return m
}

// probeKept plans a probe on the connection that there is.
func (m machine) probeKept(c *Config, at time.Time) machine {
	m.next = plan{at: at, timeout: c.Timeout}
	return m
}

// stayHealthy plans the next probe of a server that answers.
func (m machine) stayHealthy(c *Config, e event, now time.Time) machine {
	at := now.Add(jitter(c.Interval, intervalJitter, e.random))
	m = m.probeKept(c, at)
	if at.Sub(m.renewed) >= c.Renew {
		m = m.probe(c, at)
	}
	switch {
	case !m.asked:
		m.asked = true
		m.next.at, m.next.stats = now, true
	case m.disputed(now): // by what was reported during the probe
		m = m.prompt(c, now)
	}
	return m
}
