//go:build unix && !linux

package pool

// lookBudget is used on Linux only.
type lookBudget struct{}

func (w *rawWire) await(uintptr) bool { return false }
func (w *rawWire) worth() bool        { return false }
func (w *rawWire) learn(bool)         {}

const spinWait = 0

func letRun(int) {}
