package heartbeat

import "time"

// What an operator, and the client as a whole, may order.

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

// onForgive drops the hold-down of an ejection that was our own fault, and
// probes often from now on: nobody else may be left to serve.
func (m machine) onForgive(c *Config, now time.Time) machine {
	if m.state.Usable() || m.forgiven {
		return m
	}
	m.forgiven = true
	m.round = max(0, m.round-1)
	held := now.Before(m.holdUntil)
	m.holdUntil = now
	m.backoff = c.EjectedInterval
	switch soon := now.Add(m.backoff); {
	case m.state != Ejected || m.pinned:
	case held && m.goods >= c.Rise:
		return m.probeKept(c, now)
	case m.next.at.After(soon):
		m.next.at = soon
	}
	return m
}
