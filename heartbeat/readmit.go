package heartbeat

import "time"

// The way back: what a good reply does to the machine.

// onGood handles a reply.
func (m machine) onGood(c *Config, e event, now time.Time) (machine, orders) {
	suspected := m.state == Suspect && m.fails == 0
	m.fails, m.freshFail, m.doubts = 0, false, 0
	m.answered = e.began
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

// onIdentified handles the answer to stats, a sign of life like any other. In
// probation it is what was missing to repair the server.
func (m machine) onIdentified(c *Config, e event, now time.Time) (machine, orders) {
	starts := m.state == Probation && !m.replaying
	m.replaying = m.replaying || starts
	m.asked = true
	m, o := m.onGood(c, e, now)
	o.replay = starts
	return m, o
}

// onReadmitted handles the end of Config.Readmit.
func (m machine) onReadmitted(c *Config, e event, now time.Time) (machine, orders) {
	if m.state != Probation || !m.replaying {
		return m, orders{}
	}
	m.replaying = false
	if e.err != nil {
		return m.fallBack(c, e, now, ReasonReadmit)
	}
	m.state = Healthy
	m.readmitted = now
	return m.stayHealthy(c, e, now), orders{reason: ReasonReadmitted}
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
