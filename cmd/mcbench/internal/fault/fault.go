// Package fault breaks a memcached on purpose and heals it again: an embedded one by its
// switches, a real one by signals to its process or by packet filter rules on its port.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// Kind is what goes wrong.
type Kind string

// The kinds of faults.
const (
	Kill      Kind = "kill"      // the process is gone: resets, then refused connections
	Hang      Kind = "hang"      // the process is stopped: connections open, nothing answers
	BlackHole Kind = "blackhole" // the host is gone: nothing answers, dials included
	Slow      Kind = "slow"      // every answer comes late
	Reset     Kind = "reset"     // every tenth request resets its connection
	Flap      Kind = "flap"      // black hole on and off
)

// Spec is a fault with its parameter.
type Spec struct {
	Kind  Kind
	Param time.Duration // of slow: the delay; of flap: half the period
}

// resetEvery is how many requests share one reset.
const resetEvery = 10

// Parse reads kill, hang, blackhole, slow[:50ms], reset or flap[:2s].
func Parse(s string) (Spec, error) {
	name, param, has := strings.Cut(s, ":")
	f := Spec{Kind: Kind(name)}
	switch f.Kind {
	case Kill, Hang, BlackHole, Reset:
		if has {
			return Spec{}, fmt.Errorf("fault %q: %s takes no parameter", s, name)
		}
		return f, nil
	case Slow:
		f.Param = 50 * time.Millisecond
	case Flap:
		f.Param = time.Second
	default:
		return Spec{}, fmt.Errorf("fault %q: want kill, hang, blackhole, slow:50ms, reset or flap:2s", s)
	}
	if has {
		d, err := time.ParseDuration(param)
		if err != nil || d <= 0 {
			return Spec{}, fmt.Errorf("fault %q: %q is no duration, such as 50ms or 2s", s, param)
		}
		f.Param = d
	}
	return f, nil
}

// String returns the fault as it is written on the command line.
func (f Spec) String() string {
	if f.Param > 0 {
		return string(f.Kind) + ":" + f.Param.String()
	}
	return string(f.Kind)
}

// Breaker breaks one server and heals it. Heal may be called at any time, also twice.
type Breaker interface {
	Break() error
	Heal() error
}

// Embedded breaks a server in this process.
func Embedded(s *mctest.Server, f Spec) Breaker {
	if f.Kind == Flap {
		return &flapping{on: s.BlackHole, off: s.Heal, half: f.Param}
	}
	return embedded{s, f}
}

type embedded struct {
	server *mctest.Server
	fault  Spec
}

func (e embedded) Break() error {
	switch e.fault.Kind {
	case Kill:
		return e.server.Kill()
	case Hang:
		return e.server.Hang()
	case BlackHole:
		return e.server.BlackHole()
	case Slow:
		e.server.Slow(e.fault.Param)
	case Reset:
		e.server.Reset(resetEvery)
	}
	return nil
}

func (e embedded) Heal() error { return e.server.Heal() }

// flapping turns a fault on and off, beginning with on, until it is healed.
type flapping struct {
	on, off func() error
	half    time.Duration

	mu   sync.Mutex // guards the fields below
	stop chan struct{}
	done chan error
}

func (f *flapping) Break() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stop != nil {
		return errors.New("flaps already")
	}
	if err := f.on(); err != nil {
		return err
	}
	f.stop, f.done = make(chan struct{}), make(chan error, 1)
	go f.run(f.stop, f.done)
	return nil
}

func (f *flapping) run(stop <-chan struct{}, done chan<- error) {
	ticker := time.NewTicker(f.half)
	defer ticker.Stop()
	for broken := true; ; broken = !broken {
		select {
		case <-stop:
			done <- nil
			return
		case <-ticker.C:
		}
		turn := f.on
		if broken {
			turn = f.off
		}
		if err := turn(); err != nil {
			done <- err
			return
		}
	}
}

func (f *flapping) Heal() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.stop != nil {
		close(f.stop)
		err = <-f.done
		f.stop = nil
	}
	return errors.Join(err, f.off())
}
