package client

import (
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/pool"
	"github.com/ringbeat/ringbeat/ring"
)

// ServerStatus is what the client knows of one server.
type ServerStatus struct {
	ring.Server
	State  heartbeat.State
	Reason heartbeat.Reason // of the last transition
	Since  time.Time        // of State

	// Mode is how the server's own keys are served: "serving", "returning" (over
	// the ramp), "moved" (by stand-ins) or "down" (by nobody); "joining" before
	// its first good probe; "leaving" until its successor has answered.
	Mode  string
	Share float64 // of the key space; 0 while joining

	ProbeRTT  time.Duration // of the last good probe
	SelfLag   time.Duration // how late this process was at the last probe
	LastErr   error         // of the last failed probe
	LastErrAt time.Time
	HoldUntil time.Time // no readmission before
	Pinned    bool      // an operator keeps it out

	Hints int // keys to be deleted here before they are read here
	Loans int // keys whose values this process stored on stand-ins

	Health heartbeat.Snapshot // the rest
	Pool   pool.Stats
}

// Snapshot is what the client knows, at one moment.
type Snapshot struct {
	Epoch      uint64 // of the topology; only grows
	Layout     ring.Layout
	Servers    []ServerStatus
	Moved      float64 // share of all keys that stand-ins serve
	LocalFault bool    // all servers were lost at once: this process is cut off

	// Counters; they only grow.
	StandIns      uint64 // requests that a stand-in answered
	Retries       uint64 // requests that were sent a second time
	OverBudget    uint64 // requests that were not, for want of retry budget
	Hints         uint64 // left
	HintsReplayed uint64
	HintsDropped  uint64 // because their server came back empty
	Ejections     uint64
	Readmissions  uint64
}

// Servers returns the state of every member, in list order, with those that join
// or leave.
func (c *Client) Servers() []ServerStatus { return c.Snapshot().Servers }

// Snapshot returns all that the client knows. It is meant for status pages and
// metrics: it allocates, but holds nothing up.
func (c *Client) Snapshot() Snapshot {
	c.mu.Lock()
	snap := c.snap.Load()
	members := append([]*server(nil), c.members...)
	status := make([]ServerStatus, len(members))
	for i, s := range members {
		status[i] = ServerStatus{Server: s.Server, Reason: s.reason, Mode: s.word(snap)}
	}
	c.mu.Unlock()
	for i, s := range members {
		s.describe(&status[i], snap)
	}
	n := &c.counters
	return Snapshot{
		Epoch: snap.epoch, Layout: c.cfg.Layout, Servers: status,
		Moved: snap.movedShare(), LocalFault: snap.local,
		StandIns: n.standIns.Load(), Retries: n.retries.Load(), OverBudget: n.overBudget.Load(),
		Hints: n.hints.Load(), HintsReplayed: n.hintsSent.Load(), HintsDropped: n.hintsForgotten.Load(),
		Ejections: n.ejections.Load(), Readmissions: n.readmissions.Load(),
	}
}

// word names the server's mode. The caller holds the client's mu.
func (s *server) word(snap *snapshot) string {
	switch {
	case !s.admitted:
		return "joining"
	case s.leaving:
		return "leaving"
	}
	return snap.modeOf(s).String()
}

func (s *server) describe(st *ServerStatus, snap *snapshot) {
	h := s.monitor.Snapshot()
	st.State, st.Since, st.Health = h.State, h.Since, h
	st.ProbeRTT, st.SelfLag, st.LastErr, st.LastErrAt = h.RTT, h.Lag, h.LastErr, h.LastErrAt
	st.HoldUntil, st.Pinned = h.HoldUntil, h.Pinned
	st.Share = snap.ring.Share(s.Name)
	st.Pool = s.pool.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Hints, st.Loans = len(s.hints.keys), len(s.loans.keys)
}
