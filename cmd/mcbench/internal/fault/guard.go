package fault

import (
	"io"
	"os/exec"
	"syscall"
)

// guard undoes a fault outside this process should we die, however that happens: a shell
// waits for the end of its input, which is a pipe from us, and then runs the commands. It
// has a process group of its own, so that Ctrl-C does not take it away, too.
type guard struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// newGuard starts a guard; script must be harmless when there is nothing left to undo.
func newGuard(script string) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", "read -r _; "+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &guard{cmd: cmd, pipe: pipe}, cmd.Start()
}

// release lets the guard do its work and waits until that is done.
func (g *guard) release() {
	g.pipe.Close() // both fail only if the guard has ended already
	g.cmd.Wait()
}

// guarded is a Breaker that a guard backs up from the first Break to the Heal.
type guarded struct {
	Breaker
	script string
	guard  *guard
}

func (g *guarded) Break() error {
	if g.guard == nil {
		var err error
		if g.guard, err = newGuard(g.script); err != nil {
			g.guard = nil
			return err
		}
	}
	return g.Breaker.Break()
}

func (g *guarded) Heal() error {
	err := g.Breaker.Heal()
	if g.guard != nil {
		g.guard.release()
		g.guard = nil
	}
	return err
}
