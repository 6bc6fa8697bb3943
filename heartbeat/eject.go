package heartbeat

import "time"

// The way out: what a failed probe and evidence from requests do to the machine.

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
	was := m.state
	m.state = Suspect
	m = m.probe(c, at)
	if was == Suspect {
		return m, orders{}
	}
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

// speaksAgainst reports whether evidence stands in for failed probes. While we
// are in doubt about ourselves, our own requests are no witnesses either.
func (m machine) speaksAgainst(now time.Time) bool {
	return m.doubts == 0 && m.tally.strong(m.evidenceFrom(now))
}

// speaksFor reports whether requests were answered while the probe that began
// then failed, and none spoke against the server.
func (m machine) speaksFor(began, now time.Time) bool {
	return m.tally.success.After(began) && !m.disputed(now)
}

// disputed reports whether there is any evidence against the server.
func (m machine) disputed(now time.Time) bool {
	return !m.tally.newest().Before(m.evidenceFrom(now))
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
	if !m.forgiven {
		m.backoff = min(2*m.backoff, c.MaxEjectedInterval)
	}
	return m
}

// onReported handles evidence from requests.
func (m machine) onReported(c *Config, e event, now time.Time) (machine, orders) {
	if !m.state.Usable() || !m.disputed(now) {
		return m, orders{}
	}
	return m.prompt(c, now).accused(c, e, now)
}

// accused draws the conclusions from evidence alone.
func (m machine) accused(c *Config, e event, now time.Time) (machine, orders) {
	switch {
	case !m.speaksAgainst(now):
		return m, orders{}
	case m.freshFail:
		return m.fall(c, e, now), orders{reason: ReasonFallEvidence}
	case m.state == Suspect || now.Before(m.calm):
		return m, orders{}
	}
	m.state = Suspect
	return m, orders{reason: ReasonEvidence}
}

// prompt brings the next probe forward, to a fresh connection.
func (m machine) prompt(c *Config, now time.Time) machine {
	at := m.nextPrompt(now)
	switch {
	case at.Before(m.next.at):
		m.prompted = at
	case !m.next.fresh && m.speaksAgainst(now):
		at = m.next.at
	default:
		return m
	}
	m.next.stats = false
	return m.probe(c, at)
}

// nextPrompt is the earliest time for a probe that evidence asks for.
func (m machine) nextPrompt(now time.Time) time.Time {
	if at := m.prompted.Add(promptGap); at.After(now) {
		return at
	}
	return now
}

// onCut plans the probe for which the one before was given up.
func (m machine) onCut(c *Config, e event, now time.Time) (machine, orders) {
	if !m.state.Usable() {
		return m.probe(c, now), orders{}
	}
	m.prompted = m.nextPrompt(now)
	m.next.stats = false
	return m.probe(c, m.prompted).accused(c, e, now)
}
