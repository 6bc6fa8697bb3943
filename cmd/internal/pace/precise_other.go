//go:build !linux

package pace

// NewPrecise returns the most exact Waiter of this system, which is Timer here.
func NewPrecise() Waiter { return NewTimer() }
