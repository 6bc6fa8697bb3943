package heartbeat

import (
	"fmt"
	"time"
)

// State is what a monitor says about its server.
type State uint8

// The states. Requests go to a server that is Healthy or Suspect; one that is
// Ejected or in Probation gets none but the monitor's own probes and what
// [Config.Readmit] sends.
const (
	Healthy   State = iota // answers; how fast its keys return after an outage is the client's to say
	Suspect                // failed a probe, or requests speak against it; still serves
	Ejected                // failed Fall probes in a row, or an operator took it out
	Probation              // answers again; what it missed is being repaired
)

var stateNames = [...]string{"healthy", "suspect", "ejected", "probation"}

// String returns the state's name in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Usable reports whether requests may go to a server in this state.
func (s State) Usable() bool { return s == Healthy || s == Suspect }

// Reason says why a transition happened. It is meant for logs and events.
type Reason string

// The reasons, grouped by the state they lead to.
const (
	ReasonAnswered   Reason = "answered"   // Healthy: a suspect replied
	ReasonReadmitted Reason = "readmitted" // Healthy: probation passed

	ReasonProbe    Reason = "probe failed"    // Suspect, or Ejected out of Probation
	ReasonEvidence Reason = "requests failed" // Suspect, by evidence alone

	ReasonFall         Reason = "probes failed"             // Ejected: Fall failures in a row
	ReasonFallEvidence Reason = "probe and requests failed" // Ejected: a fresh probe failed, requests stood in for the rest
	ReasonReadmit      Reason = "readmission failed"        // Ejected: Config.Readmit returned an error
	ReasonOperator     Reason = "ejected by operator"       // Ejected: Monitor.Eject
	ReasonDrain        Reason = "drained by operator"       // Ejected: Monitor.Drain

	ReasonReplies Reason = "replies again" // Probation: Rise replies and the hold-down is over
)

// Transition is one change of state, as given to [Config.OnTransition].
type Transition struct {
	Addr     string
	From, To State
	Reason   Reason
	At       time.Time
	Probes   int           // probes in a row behind it: failed ones on the way out, good ones on the way back
	SelfLag  time.Duration // how late this process woke up for, or during, the last probe
	RTT      time.Duration // of the last good reply
	HoldDown time.Duration // to Ejected: no readmission before At+HoldDown
	Err      error         // of the last failed probe or readmission; nil on the way back

	// Incarnation is what was found on the way back; see [Config.Readmit].
	Incarnation Incarnation
}
