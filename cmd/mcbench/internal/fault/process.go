package fault

import (
	"errors"
	"fmt"
	"syscall"
)

// Process breaks a real server by signals to its process. A killed one does not come back.
func Process(pid int, f Spec) (Breaker, error) {
	if pid <= 1 {
		return nil, fmt.Errorf("pid %d: want the process id of a memcached", pid)
	}
	signal := func(s syscall.Signal) func() error {
		return func() error {
			if err := syscall.Kill(pid, s); err != nil {
				return fmt.Errorf("signal to process %d: %w", pid, err)
			}
			return nil
		}
	}
	stop, cont := signal(syscall.SIGSTOP), signal(syscall.SIGCONT)
	if err := syscall.Kill(pid, 0); err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	undo := fmt.Sprintf("kill -CONT %d 2>/dev/null", pid)
	switch f.Kind {
	case Hang:
		return &guarded{Breaker: switches{stop, cont}, script: undo}, nil
	case Flap:
		return &guarded{Breaker: &flapping{on: stop, off: cont, half: f.Param}, script: undo}, nil
	case Kill:
		return switches{signal(syscall.SIGKILL), func() error { return nil }}, nil
	}
	return nil, errors.New("a process can only be made to hang, flap (SIGSTOP and SIGCONT) or be killed (SIGKILL)")
}

// switches is a Breaker of two functions.
type switches struct{ on, off func() error }

func (s switches) Break() error { return s.on() }
func (s switches) Heal() error  { return s.off() }
