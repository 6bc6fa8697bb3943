package pool

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// A reader looks for a reply for a while before he waits in the poller: to let a
// processor fall asleep and wake it again takes longer than a server on the same
// host, or in the same rack, takes to answer. Each wait earns the time that it may
// spend on looking; what it does not need is kept for one that takes longer. A single
// request's may not take longer than a sleep costs: nobody else gains by it.
const (
	spinWait    = 40 * time.Microsecond // for the wait: what a sleep costs
	spinRequest = 4 * time.Microsecond  // for each request that is under way
	maxSpin     = time.Millisecond
	spinOnce    = 2 // a single wait may take so many times what it earns
	spinYield   = 4 // looks between two yields to other goroutines
)

// lookBudget is the time that has been earned for looking and not been used.
type lookBudget time.Duration

// earn adds what a wait for so many requests earns, and returns how long it may look.
func (p *lookBudget) earn(requests int32) (limit time.Duration) {
	earned := spinWait + time.Duration(requests)*spinRequest
	*p = min(*p+lookBudget(earned), lookBudget(maxSpin))
	if requests == 1 {
		return min(time.Duration(*p), spinWait)
	}
	return min(time.Duration(*p), spinOnce*earned)
}

func (p *lookBudget) spend(d time.Duration) { *p = max(*p-lookBudget(d), 0) }

// await looks for bytes for a short while. Between two looks it lets other processes
// run, as a server on this machine may be waiting for this very processor, and now
// and then other goroutines. Whether that is worth it depends on how far the server
// is and on what else runs here, so the habit follows what happened lately. soon is
// used up: after one try the reader waits in earnest. The scheduler is not told of the
// short calls: whoever runs meanwhile gets the processor for a slice of its own, not
// for as long as a goroutine could be missed.
func (w *rawWire) await(fd uintptr) bool {
	limit := w.budget.earn(w.soon)
	w.soon = 0
	if !w.spin.worth() {
		return false
	}
	start := time.Now()
	for look := 1; ; look++ {
		letRun(look)
		arrived := readable(fd)
		spent := time.Since(start)
		late := spent > limit
		if arrived || late {
			w.budget.spend(spent)
			w.spin.learn(arrived && !late)
			return arrived
		}
	}
}

// awaitAlone is await for a caller's own reply.
func (w *rawWire) awaitAlone(fd uintptr) bool {
	if !beginLook() {
		return false
	}
	defer endLook()
	return w.await(fd)
}

// Callers who read for themselves look on half of the processors at most, and as many
// may look for a reply that another reads (ride). With both, nobody of this process
// sleeps, but each look lets a server on the same host run. What counts is the number of
// processors with which the process started.
var (
	lookers    atomic.Int32
	riders     atomic.Int32
	maxLookers = int32(runtime.GOMAXPROCS(0) / 2)
)

// beginLook reports whether one more caller may look. Where it does, endLook must follow.
func beginLook() bool {
	if lookers.Add(1) <= maxLookers {
		return true
	}
	endLook()
	return false
}

func endLook() { lookers.Add(-1) }

// ride waits for the end of r, whose reply another caller or serve reads. At first it
// looks.
func (c *conn) ride(r *Request) {
	start := time.Now()
	missed := r.lookDone(start)
	<-r.done
	d := time.Since(start)
	if missed || d > hogged {
		c.inVain(d)
	}
	if d > hogged {
		r.lane = 0 // on a connection of his own a caller needs nobody else
	}
}

// lookDone looks whether r has ended, where not too many look already, and reports
// whether that was in vain.
func (r *Request) lookDone(start time.Time) (vain bool) {
	defer riders.Add(-1)
	if riders.Add(1) > maxLookers {
		return false
	}
	for look := 1; len(r.done) == 0; look++ {
		if time.Since(start) > spinWait {
			return true
		}
		letRun(look)
	}
	return false
}

// letRun lets others run before the given look, counted from 1.
func letRun(look int) {
	if look > 1 && look%spinYield == 1 {
		runtime.Gosched()
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
}

// hushAt is how many bytes a hushed socket holds back: as many as fit the buffer that
// they are read into. With more, the kernel would also bound the receive window.
const hushAt = readBufSize

// hush keeps the socket from waking the runtime's poller for a reply that a reader
// looks for anyway: each such reply made a thread run for nothing. One caller's
// multi-gets on 3 servers became 40 to 60 % faster so. Other readers do not hush: what keeps a
// processor awake, even this, saves more than it costs where others are to be woken.
func (w *rawWire) hush(fd uintptr) {
	if w.tcp && !w.hushed {
		w.hushed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, hushAt) == nil
	}
}

// unhush must come before any wait, which would last for ever. It reports whether there
// was something to take back: then bytes may have come of which nobody has told the
// poller (kernels from 4.18 on do so now).
func (w *rawWire) unhush(fd uintptr) bool {
	if !w.hushed {
		return false
	}
	w.hushed = false
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, 1)
	return true
}

func (w *rawWire) worth() bool      { return w.spin.worth() }
func (w *rawWire) learn(lucky bool) { w.spin.learn(lucky) }
func (w *rawWire) near() bool       { return w.spin.luck > 0 }

// readable asks ppoll(2), which returns at once.
func readable(fd uintptr) bool {
	const pollIn = 1
	p := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: pollIn}
	var now syscall.Timespec
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1,
		uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && n > 0
}
