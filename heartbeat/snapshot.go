package heartbeat

import "time"

// Snapshot is all that a monitor knows, at one moment. Zero times mean never.
type Snapshot struct {
	Addr  string
	State State
	Since time.Time // of State

	Pinned     bool      // an operator keeps it out
	EjectedAt  time.Time // when it last stopped serving
	Readmitted time.Time // when it last served again
	HoldUntil  time.Time // no readmission before

	Version     string        // as the server told
	RTT         time.Duration // of the last good reply, dial not included
	RepliedAt   time.Time     // of the last good reply
	Lag         time.Duration // how late this process was at the last probe
	LastErr     error         // of the last probe or readmission that failed
	LastErrAt   time.Time
	Incarnation Incarnation // as found at the last readmission

	Probes       uint64 // sent
	Failures     uint64 // of them, those that counted against the server
	Inconclusive uint64 // of them, those that told nothing: our own lag, a connection closed while idle
	Prompted     uint64 // of them, those that evidence asked for
	Ejections    uint64 // since Start, operators' included
}
