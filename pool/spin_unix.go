//go:build unix && !linux

package pool

type lookBudget struct{}

func (w *rawWire) await(uintptr) bool      { return false }
func (w *rawWire) awaitAlone(uintptr) bool { return false }
func (w *rawWire) worth() bool             { return false }
func (w *rawWire) learn(bool)              {}
func (w *rawWire) hush(uintptr)            {}
func (w *rawWire) unhush(uintptr) bool     { return false }
func (w *rawWire) near() bool              { return false }
