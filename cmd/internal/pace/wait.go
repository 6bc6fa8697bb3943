package pace

import (
	"context"
	"time"
)

// Waiter waits for a moment. One goroutine uses it at a time.
type Waiter interface {
	// Wait returns at t or soon after, or earlier when ctx ends. It never returns early otherwise.
	Wait(ctx context.Context, t time.Time)
	// Close releases the waiter.
	Close() error
}

// Timer waits with the runtime's timers. It works under a fake clock; on a real one a
// lonely timer fires up to a millisecond late on Linux, because the runtime hands
// epoll_wait whole milliseconds.
type Timer struct{ timer *time.Timer }

// NewTimer returns a Waiter on the runtime's timers.
func NewTimer() *Timer { return &Timer{} }

// Wait blocks until t or the end of ctx.
func (w *Timer) Wait(ctx context.Context, t time.Time) {
	d := time.Until(t)
	if d <= 0 {
		return
	}
	if w.timer == nil {
		w.timer = time.NewTimer(d)
	} else {
		w.timer.Reset(d)
	}
	select {
	case <-w.timer.C:
	case <-ctx.Done():
		w.timer.Stop()
	}
}

// Close stops the timer.
func (w *Timer) Close() error {
	if w.timer != nil {
		w.timer.Stop()
	}
	return nil
}
