package pool

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// spinTime is how long serve looks for a reply before it waits in the poller. To
// let a processor fall asleep and wake it again takes longer than a server on the
// same host, or in the same rack, takes to answer.
const spinTime = 50 * time.Microsecond

// await looks for bytes for a short while. Between two looks it lets other
// goroutines run, and other processes: a server on this machine may be waiting for
// this very processor. Whether that is worth it depends on how far the server is and
// on what else runs here, so the habit follows what happened lately. soon is used
// up: after one try the reader waits in earnest.
func (w *rawWire) await(fd uintptr) bool {
	w.soon = false
	if !w.spin.worth() {
		return false
	}
	for start := time.Now(); ; {
		runtime.Gosched()
		_, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		arrived := readable(fd)
		late := time.Since(start) > spinTime
		if arrived || late {
			w.spin.learn(arrived && !late)
			return arrived
		}
	}
}

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
