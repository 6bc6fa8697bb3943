//go:build unix && !linux

package pool

func (w *rawWire) await(uintptr) bool { return false }
