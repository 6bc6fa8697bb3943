package heartbeat

import "time"

// Kind says what a request saw of the server.
type Kind uint8

// The kinds of evidence. Not evidence, and never to be reported: a context
// that the caller cancelled, and a connection that the server closed while no
// request was waiting on it.
const (
	// DialRefused is a connection attempt that was refused. One is enough to
	// make a suspect.
	DialRefused Kind = iota + 1
	// Reset is a connection that was reset or closed with requests waiting
	// on it. Two connections within a second make a suspect.
	Reset
	// Timeout is an attempt's own timeout, or that of a dial. Each asks for a
	// probe at once; three on two connections within a second make a suspect.
	Timeout
	// Success is an answered request. It may be reported for every one: it
	// costs next to nothing while the server is healthy. A suspect whose new
	// connections fail but whose requests all succeed (a server at its
	// connection limit) is not ejected.
	Success
)

// Evidence is one observation of a request, for [Monitor.Report].
type Evidence struct {
	Kind Kind
	Conn uint64 // tells the client's connections to this server apart
}

const (
	// evidenceWindow is the time within which observations add up.
	evidenceWindow = time.Second
	burstTimeouts  = 3
	burstConns     = 2
)

// tally is all that matters of the evidence so far. Its size is fixed: it
// keeps of each kind only the newest observations that the rules can need, so
// nothing that matters is lost however many arrive.
type tally struct {
	refused  time.Time
	success  time.Time
	timeouts [burstTimeouts]time.Time // newest first
	slow     conns                    // that timed out
	reset    conns
}

// conns holds the two connections seen last, newest first.
type conns [burstConns]struct {
	id uint64
	at time.Time
}

func (c *conns) add(id uint64, at time.Time) {
	if c[0].id != id {
		c[1] = c[0]
	}
	c[0].id, c[0].at = id, at
}

func (t *tally) add(e Evidence, at time.Time) {
	switch e.Kind {
	case DialRefused:
		t.refused = at
	case Reset:
		t.reset.add(e.Conn, at)
	case Timeout:
		copy(t.timeouts[1:], t.timeouts[:])
		t.timeouts[0] = at
		t.slow.add(e.Conn, at)
	case Success:
		t.success = at
	}
}

// newest returns the time of the last observation against the server.
func (t *tally) newest() time.Time {
	at := t.refused
	for _, other := range [...]time.Time{t.timeouts[0], t.reset[0].at} {
		if other.After(at) {
			at = other
		}
	}
	return at
}

// strong reports whether what was seen since from stands in for failed
// probes.
func (t *tally) strong(from time.Time) bool {
	return !t.refused.Before(from) || !t.reset[burstConns-1].at.Before(from) ||
		!t.timeouts[burstTimeouts-1].Before(from) && !t.slow[burstConns-1].at.Before(from)
}
