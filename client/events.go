package client

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/ringbeat/ringbeat/heartbeat"
)

// EventKind says what an Event is about.
type EventKind uint8

const (
	// Transition: a server's state of health changed.
	Transition EventKind = iota
	// Membership: the list of servers changed.
	Membership
	// LocalFault: all servers were lost at once, so that this process or its
	// network is cut off (On), or that is over (not On).
	LocalFault
	// HintOverflow: a server missed more writes than are remembered. After its
	// readmission its keys count as misses for StandInTTL.
	HintOverflow
	// HintsDropped: a server came back empty, and its hints were dropped.
	HintsDropped
)

var kindNames = [...]string{"transition", "membership", "local fault", "hint overflow", "hints dropped"}

// String returns the kind in words.
func (k EventKind) String() string { return kindNames[min(int(k), len(kindNames)-1)] }

// Event is a change that an operator wants to know of. Keys and values are never
// part of it.
type Event struct {
	Kind   EventKind
	At     time.Time
	Server string // ring name; "" where it is about all

	// Of a Transition.
	From, To heartbeat.State
	Reason   heartbeat.Reason
	Probes   int           // probes in a row behind it
	SelfLag  time.Duration // how late this process itself was
	HoldDown time.Duration // no readmission for so long
	Err      error         // of the last failed probe

	Mode    string  // how the server's keys are served now: serving, returning, moved, down
	Moved   float64 // share of all keys that is now served by stand-ins
	Hints   int     // of HintOverflow and HintsDropped
	On      bool    // of LocalFault
	Epoch   uint64  // of the topology
	Joined  []string
	Removed []string
}

// events hands events to the log and the callback, in order, from a goroutine of
// its own: neither a slow disk nor a slow callback may delay a heartbeat.
type events struct {
	log      *zap.Logger
	callback func(Event)
	wake     chan struct{} // one token
	done     chan struct{}

	mu      sync.Mutex // guards the fields below
	queue   []Event
	dropped int
	stopped bool
}

// maxEvents bounds the events that wait. Flapping servers make a few per second.
const maxEvents = 4096

func (e *events) start(log *zap.Logger, callback func(Event)) {
	e.log, e.callback = log, callback
	e.wake, e.done = make(chan struct{}, 1), make(chan struct{})
	go e.run()
}

// add queues an event; it never blocks.
func (e *events) add(ev Event) {
	e.mu.Lock()
	switch {
	case e.stopped:
	case len(e.queue) >= maxEvents:
		e.dropped++
	default:
		e.queue = append(e.queue, ev)
	}
	e.mu.Unlock()
	e.ring()
}

func (e *events) ring() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// stop lets the events that wait be told and returns when that is done.
func (e *events) stop() {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	e.ring()
	<-e.done
}

func (e *events) run() {
	defer close(e.done)
	for range e.wake {
		e.mu.Lock()
		queue, dropped, stopped := e.queue, e.dropped, e.stopped
		e.queue, e.dropped = nil, 0
		e.mu.Unlock()
		for i := range queue {
			e.tell(&queue[i])
		}
		if dropped > 0 {
			e.log.Warn("events dropped", zap.Int("count", dropped))
		}
		if stopped {
			return
		}
	}
}

func (e *events) tell(ev *Event) {
	switch ev.Kind {
	case Transition:
		e.log.Info("server health changed", zap.String("server", ev.Server),
			zap.Stringer("from", ev.From), zap.Stringer("to", ev.To), zap.String("reason", string(ev.Reason)),
			zap.Int("probes", ev.Probes), zap.Duration("self_lag", ev.SelfLag), zap.Duration("hold_down", ev.HoldDown),
			zap.String("mode", ev.Mode), zap.Float64("moved", ev.Moved), zap.Error(ev.Err))
	case Membership:
		e.log.Info("servers changed", zap.Uint64("epoch", ev.Epoch),
			zap.Strings("joined", ev.Joined), zap.Strings("removed", ev.Removed))
	case LocalFault:
		e.log.Warn("all servers lost at once", zap.Bool("on", ev.On))
	case HintOverflow:
		e.log.Warn("too many missed writes to remember", zap.String("server", ev.Server), zap.Int("hints", ev.Hints))
	case HintsDropped:
		e.log.Info("server is back empty", zap.String("server", ev.Server), zap.Int("hints", ev.Hints))
	}
	if e.callback != nil {
		e.callback(*ev)
	}
}

func (c *Client) tell(ev Event) { c.events.add(ev) }
