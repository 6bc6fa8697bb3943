package heartbeat

import (
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// Incarnation compares the process that answers now with the one that served
// before the ejection.
type Incarnation struct {
	// Known says whether the server told its stats, now and before. Without
	// that nothing below may be relied on.
	Known bool
	// Same says whether it is the same process: it still holds what it held.
	Same bool
	// Items is the number of items it holds.
	Items int64
	// PID and Uptime are those of the process that answers now.
	PID    int
	Uptime time.Duration
}

// Empty reports that this is a new process which holds nothing: whatever was
// to be repaired is gone, and hints may be dropped. In every other case they
// have to be replayed.
func (i Incarnation) Empty() bool { return i.Known && !i.Same && i.Items == 0 }

// startSlack is how far two readings of one process's start may be apart:
// memcached counts in whole seconds.
const startSlack = 2

// compare builds the Incarnation of now, seen after before. nil means unknown.
func compare(before, now *proto.ProbeStats) Incarnation {
	if now == nil {
		return Incarnation{}
	}
	i := Incarnation{Items: now.Items, PID: now.PID, Uptime: now.Uptime}
	if before == nil || before.PID == 0 || now.PID == 0 {
		return i
	}
	i.Known = true
	i.Same = before.PID == now.PID && sameStart(before, now)
	return i
}

// sameStart compares when the two were started: in containers every memcached
// has process id 1. A server that does not tell its clock is compared by its
// uptime, which never goes back.
func sameStart(before, now *proto.ProbeStats) bool {
	if before.Started == 0 || now.Started == 0 {
		return now.Uptime >= before.Uptime
	}
	apart := before.Started - now.Started
	return -startSlack <= apart && apart <= startSlack
}
