//go:build unix

package pool

import (
	"cmp"
	"io"
	"net"
	"syscall"
	"time"
)

// rawWire does its own non-blocking system calls under the runtime's poller. It
// saves what net.Conn does around them, and it can write and wait for the reply in
// one go. The functions are kept in fields because a closure made for each call
// would be an allocation for each request.
type rawWire struct {
	nc net.Conn
	rc syscall.RawConn

	in     []byte // the reader's fields
	n      int
	err    error
	send   func() error
	readFn func(fd uintptr) bool
	exchFn func(fd uintptr) bool
	lookFn func(fd uintptr) bool
	soon   int32
	tcp    bool
	hushed bool // see hush
	spin   habit
	budget lookBudget // for looking before a wait

	fd      uintptr // the writer's fields
	direct  bool    // fd may be used: exchange holds it open
	out     []byte
	written int
	werr    error
	wait    bool
	writeFn func(fd uintptr) bool
}

func newRawWire(nc net.Conn, sc syscall.Conn) wire {
	rc, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	w := &rawWire{nc: nc, rc: rc}
	_, w.tcp = nc.(*net.TCPConn)
	w.readFn, w.exchFn, w.lookFn, w.writeFn = w.tryRead, w.tryExchange, w.tryGlance, w.tryWrite
	return w
}

func (w *rawWire) read(b []byte, soon int32) (int, error) {
	w.in, w.soon = b, soon
	if err := w.rc.Read(w.readFn); err != nil {
		return 0, err
	}
	return w.n, w.err
}

func (w *rawWire) tryRead(fd uintptr) bool {
	for !w.readOnce(fd) {
		if w.unhush(fd) {
			continue // something may have come before
		}
		if w.soon == 0 || !w.await(fd) {
			return false
		}
	}
	return true
}

func (w *rawWire) glance(b []byte) (int, error) {
	w.in, w.soon = b, 0
	if err := w.rc.Read(w.lookFn); err != nil {
		return 0, err
	}
	if w.err == syscall.EAGAIN {
		return 0, nil
	}
	return w.n, w.err
}

// tryGlance reads once, without waiting. A reader who waits after it begins with a
// read, so what comes between is not missed.
func (w *rawWire) tryGlance(fd uintptr) bool {
	w.hush(fd)
	w.readOnce(fd)
	return true
}

// readOnce reports whether the socket had anything to say.
func (w *rawWire) readOnce(fd uintptr) bool {
	for {
		w.n, w.err = syscall.Read(int(fd), w.in)
		switch {
		case w.err == syscall.EINTR:
			continue
		case w.err != nil:
			w.n = 0
		case w.n == 0:
			w.err = io.EOF
		}
		return w.err != syscall.EAGAIN
	}
}

// exchange writes inside the callback of RawConn.Read. The poller forgets an
// earlier readiness when that call begins; were the request written before it, the
// readiness of a quick reply could be the one that is forgotten, and the caller
// would wait for ever.
func (w *rawWire) exchange(send func() error, b []byte) (int, error) {
	w.send, w.in = send, b
	err := w.rc.Read(w.exchFn)
	if err != nil && w.send != nil {
		// A kick from before kept the callback from running. Nothing is lost by
		// writing outside of it: after a kick the reader looks before he waits.
		w.send = nil
		err = cmp.Or(send(), err)
	}
	if err != nil {
		return 0, err
	}
	return w.n, w.err
}

// tryExchange must not close the socket: Close waits until this callback is over.
func (w *rawWire) tryExchange(fd uintptr) bool {
	send := w.send
	if send == nil {
		return w.tryRead(fd)
	}
	w.send = nil
	w.fd, w.direct = fd, true
	w.unhush(fd)
	if w.n, w.err = 0, send(); w.err != nil {
		return true
	}
	w.soon = 1
	return w.awaitAlone(fd) && w.tryRead(fd)
}

// writeFD writes until all is gone or the socket takes no more.
func writeFD(fd uintptr, b []byte) (written int, err error) {
	for written < len(b) {
		n, err := syscall.Write(int(fd), b[written:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return written, errAgain
		case err != nil:
			return written, err
		}
		written += n
	}
	return written, nil
}

// write takes the short way for the first write within exchange: whoever runs that
// holds the writer role until this write is done.
func (w *rawWire) write(b []byte, _ bool) (int, error) {
	if w.direct {
		w.direct = false
		return writeFD(w.fd, b)
	}
	return w.doWrite(b, false)
}

func (w *rawWire) writeAll(b []byte) error {
	_, err := w.doWrite(b, true)
	return err
}

func (w *rawWire) doWrite(b []byte, wait bool) (int, error) {
	w.out, w.written, w.werr, w.wait = b, 0, nil, wait
	err := w.rc.Write(w.writeFn)
	w.out = nil
	if err != nil {
		return w.written, err
	}
	return w.written, w.werr
}

func (w *rawWire) tryWrite(fd uintptr) bool {
	n, err := writeFD(fd, w.out[w.written:])
	w.written += n
	w.werr = err
	return err != errAgain || !w.wait
}

func (w *rawWire) unread() bool {
	var b [1]byte
	n := 0
	_ = w.rc.Control(func(fd uintptr) {
		n, _, _ = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return n > 0
}

func (w *rawWire) kick()   { _ = w.nc.SetReadDeadline(past) }
func (w *rawWire) unkick() { _ = w.nc.SetReadDeadline(time.Time{}) }
func (w *rawWire) abort()  { closeHard(w.nc) }
