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
	answered time.Time // last good reply; evidence up to here is settled
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
	identified                  // the reply to stats, or that there is none

	// Everything else.
	reported   // evidence from requests
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

	tally tally // of reported
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

// probe plans a probe on a fresh connection. Inconclusive ones before it
// stretch the timeout, so that a busy process gets the time it needs.
func (m machine) probe(c *Config, at time.Time) machine {
	stretch := min(max(m.doubts-1, 0), maxStretch)
	m.next = plan{at: at, timeout: c.Timeout << stretch, fresh: true, stats: m.next.stats}
	return m
}

// probeKept plans a probe on the connection that there is.
func (m machine) probeKept(c *Config, at time.Time) machine {
	m.next = plan{at: at, timeout: c.Timeout}
	return m
}

// onGood handles a reply.
func (m machine) onGood(c *Config, e event, now time.Time) (machine, orders) {
	suspected := m.state == Suspect && m.fails == 0
	m.fails, m.freshFail, m.doubts = 0, false, 0
	m.answered = now
	if e.fresh {
		m.renewed = now
	}
	switch m.state {
	case Healthy:
		return m.stayHealthy(c, e, now), orders{}
	case Suspect:
		m.state = Healthy
		if suspected {
			m.calm = now.Add(c.Interval)
		}
		return m.stayHealthy(c, e, now), orders{reason: ReasonAnswered}
	case Ejected:
		return m.onRise(c, e, now)
	default: // Probation
		m = m.probeKept(c, now.Add(jitter(c.Interval, intervalJitter, e.random)))
		if !m.replaying {
			m.next.at, m.next.stats = now, true
		}
		return m, orders{}
	}
}

// stayHealthy plans the next probe of a server that answers.
func (m machine) stayHealthy(c *Config, e event, now time.Time) machine {
	at := now.Add(jitter(c.Interval, intervalJitter, e.random))
	m = m.probeKept(c, at)
	switch {
	case !m.asked:
		m.asked = true
		m.next.at, m.next.stats = now, true
	case at.Sub(m.renewed) >= c.Renew:
		m.next.fresh, m.next.keep = true, true
	}
	return m
}

// onRise handles a good reply of an ejected server.
func (m machine) onRise(c *Config, e event, now time.Time) (machine, orders) {
	m.goods++
	switch {
	case m.pinned:
		return m.probeKept(c, now.Add(jitter(c.Interval, intervalJitter, e.random))), orders{}
	case m.goods < c.Rise:
		return m.probe(c, now.Add(c.SuspectInterval)), orders{}
	case now.Before(m.holdUntil):
		at := now.Add(jitter(c.Interval, intervalJitter, e.random))
		if at.After(m.holdUntil) {
			at = m.holdUntil
		}
		return m.probeKept(c, at), orders{}
	}
	m.state = Probation
	m = m.probeKept(c, now)
	m.next.stats = true
	return m, orders{reason: ReasonReplies}
}

// onTimedOut handles a deadline error. It counts unless it is about us.
func (m machine) onTimedOut(c *Config, e event, now time.Time) (machine, orders) {
	late := e.late > c.LagLimit
	if e.replied || late && m.doubts < patience {
		m.doubts++
		return m.probe(c, now), orders{}
	}
	if !late {
		m.doubts = 0
	}
	return m.onFailed(c, e, now)
}

// onOurFault plans another try after one that could not even be sent.
func (m machine) onOurFault(c *Config, e event, now time.Time) machine {
	switch {
	case e.second:
		m.renewed = now
		return m.probeKept(c, now)
	case m.state == Ejected:
		return m.probe(c, now.Add(m.backoff))
	}
	return m.probe(c, now.Add(c.SuspectInterval))
}

// onFailed handles a probe that counts.
func (m machine) onFailed(c *Config, e event, now time.Time) (machine, orders) {
	m.fails++
	m.freshFail = m.freshFail || e.fresh
	m.next.stats = false
	switch m.state {
	case Ejected:
		return m.stayOut(c, e, now), orders{}
	case Probation:
		return m.fallBack(c, e, now, ReasonProbe)
	}
	if reason, fallen := m.fallen(c, e, now); fallen {
		return m.fall(c, e, now), orders{reason: reason}
	}
	if e.second {
		// Only a new connection failed. The old one tells a server that is
		// gone from one at its connection limit.
		m.renewed = now
		return m.probeKept(c, now), orders{}
	}
	at := now.Add(c.SuspectInterval)
	if !m.freshFail && (c.Fall == 1 || m.speaksAgainst(now)) {
		at = now
	}
	m = m.probe(c, at)
	if m.state == Suspect {
		return m, orders{}
	}
	m.state = Suspect
	return m, orders{reason: ReasonProbe}
}

// fallen decides whether the failures so far eject.
func (m machine) fallen(c *Config, e event, now time.Time) (Reason, bool) {
	switch {
	case !m.freshFail:
		return "", false
	case m.fails >= c.Fall:
		return ReasonFall, !m.speaksFor(e.began, now)
	case m.speaksAgainst(now):
		return ReasonFallEvidence, true
	}
	return "", false
}

// speaksAgainst reports whether evidence stands in for failed probes.
func (m machine) speaksAgainst(now time.Time) bool {
	return m.tally.strong(m.evidenceFrom(now))
}

// speaksFor reports whether requests were answered while the probe that began
// then failed, and none spoke against the server.
func (m machine) speaksFor(began, now time.Time) bool {
	return m.tally.success.After(began) && !m.tally.newest().After(m.evidenceFrom(now))
}

// evidenceFrom is the time after which evidence counts: it is recent, and no
// reply has settled it.
func (m machine) evidenceFrom(now time.Time) time.Time {
	from := now.Add(-evidenceWindow)
	if m.answered.After(from) {
		return m.answered
	}
	return from
}

// fall ejects by failures.
func (m machine) fall(c *Config, e event, now time.Time) machine {
	if now.Sub(m.readmitted) >= c.Forget {
		m.round = 0
	}
	m = m.leave(c, now)
	m.holdUntil = now.Add(holdDown(c, m.round))
	m.round++
	return m.stayOut(c, e, now)
}

// leave takes the server out of service.
func (m machine) leave(c *Config, now time.Time) machine {
	m.state = Ejected
	m.ejectedAt, m.holdUntil = now, now
	m.goods, m.forgiven = 0, false
	m.backoff = c.EjectedInterval
	return m
}

// stayOut plans the next probe of a server that does not answer.
func (m machine) stayOut(c *Config, e event, now time.Time) machine {
	m.goods = 0
	m = m.probe(c, now.Add(jitter(m.backoff, ejectedJitter, e.random)))
	m.backoff = min(2*m.backoff, c.MaxEjectedInterval)
	return m
}

// fallBack ends a probation that failed. It is no new ejection: the server
// has not served.
func (m machine) fallBack(c *Config, e event, now time.Time, why Reason) (machine, orders) {
	o := orders{reason: why, abandon: m.replaying}
	m.state = Ejected
	m.replaying = false
	if m.backoff == 0 {
		m.backoff = c.EjectedInterval
	}
	return m.stayOut(c, e, now), o
}

// onIdentified handles the answer to stats, a sign of life like any other. In
// probation it is what was missing to repair the server.
func (m machine) onIdentified(c *Config, e event, now time.Time) (machine, orders) {
	starts := m.state == Probation && !m.replaying
	m.replaying = m.replaying || starts
	m, o := m.onGood(c, e, now)
	o.replay = starts
	return m, o
}

// onReadmitted handles the end of Config.Readmit.
func (m machine) onReadmitted(c *Config, e event, now time.Time) (machine, orders) {
	if m.state != Probation || !m.replaying {
		return m, orders{}
	}
	if e.err != nil {
		return m.fallBack(c, e, now, ReasonReadmit)
	}
	m.replaying = false
	m.state = Healthy
	m.readmitted = now
	return m.stayHealthy(c, e, now), orders{reason: ReasonReadmitted}
}

// onReported handles evidence from requests.
func (m machine) onReported(c *Config, e event, now time.Time) (machine, orders) {
	m.tally = e.tally
	if !m.state.Usable() || !m.tally.newest().After(m.evidenceFrom(now)) {
		return m, orders{}
	}
	m = m.prompt(c, now)
	if m.state == Suspect || now.Before(m.calm) || !m.speaksAgainst(now) {
		return m, orders{}
	}
	m.state = Suspect
	return m, orders{reason: ReasonEvidence}
}

// prompt brings the next probe forward. It is on a fresh connection, but a
// healthy server keeps the old one: requests also time out for reasons that
// are not the server's.
func (m machine) prompt(c *Config, now time.Time) machine {
	at := m.prompted.Add(promptGap)
	if at.Before(now) {
		at = now
	}
	if at.Before(m.next.at) {
		m.prompted = at
		m.next = plan{at: at, timeout: m.next.timeout, fresh: true, keep: m.state == Healthy}
	}
	return m
}

// takeOut handles an operator's word against the server. It holds until
// toResume and is no mark against the server.
func (m machine) takeOut(c *Config, now time.Time, why Reason) (machine, orders) {
	m.pinned = true
	if m.state == Ejected {
		return m, orders{}
	}
	o := orders{reason: why, abandon: m.replaying}
	m.replaying = false
	m = m.leave(c, now)
	m.forgiven = true
	m.next.stats = false
	return m, o
}

// onResume lets the server back in as soon as it has answered Rise probes.
func (m machine) onResume(c *Config, now time.Time) machine {
	m.pinned = false
	if m.state != Ejected {
		return m
	}
	m.goods = 0
	m.holdUntil = now
	m.backoff = c.EjectedInterval
	return m.probe(c, now)
}

// onForgive drops the hold-down of an ejection that was our own fault.
func (m machine) onForgive(c *Config, now time.Time) machine {
	if m.state.Usable() || m.forgiven {
		return m
	}
	m.forgiven = true
	m.round = max(0, m.round-1)
	waiting := m.state == Ejected && now.Before(m.holdUntil) && m.goods >= c.Rise && !m.pinned
	m.holdUntil = now
	if waiting {
		m = m.probeKept(c, now)
	}
	return m
}
