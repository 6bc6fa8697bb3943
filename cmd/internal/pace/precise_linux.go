package pace

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Precise waits with a kernel timer that is read through the runtime's poller: it wakes
// within tens of microseconds where a runtime timer may be a millisecond late, and it
// neither spins nor holds a thread.
type Precise struct {
	coarse *Timer
	file   *os.File
	fd     int
	buf    [8]byte
}

// coarseMargin is what a runtime timer may be late; the kernel timer takes the rest, so
// that only this long a wait cannot be interrupted.
const coarseMargin = 3 * time.Millisecond

// NewPrecise returns the most exact Waiter of this system: the kernel timer, or Timer
// where that cannot be had.
func NewPrecise() Waiter {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return NewTimer()
	}
	return &Precise{coarse: NewTimer(), file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}
}

// Wait blocks until t or the end of ctx.
func (w *Precise) Wait(ctx context.Context, t time.Time) {
	if time.Until(t) > 2*coarseMargin {
		w.coarse.Wait(ctx, t.Add(-coarseMargin))
	}
	d := time.Until(t)
	if d <= 0 || ctx.Err() != nil {
		return
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if unix.TimerfdSettime(w.fd, 0, &spec, nil) != nil {
		w.coarse.Wait(ctx, t)
		return
	}
	if _, err := w.file.Read(w.buf[:]); err != nil {
		w.coarse.Wait(ctx, t)
	}
}

// Close releases the kernel timer.
func (w *Precise) Close() error {
	return w.file.Close()
}
