package pool

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// wire is one socket, seen by the two roles of a connection: one goroutine at a
// time reads, one at a time writes. kick and close may be called by anybody.
type wire interface {
	// read waits for bytes; soon is how many replies are under way. It returns
	// os.ErrDeadlineExceeded after a kick.
	read(b []byte, soon int32) (int, error)
	// exchange calls send, which writes, and then waits for bytes as read does; a
	// reply that send provokes cannot be missed. send must not close the wire.
	exchange(send func() error, b []byte) (int, error)
	// glance reads what is there, without waiting: 0 bytes and no error where that is
	// nothing. worth says whether to look for a reply so, and learn how it went.
	glance(b []byte) (int, error)
	worth() bool
	learn(lucky bool)
	// near reports whether looking has been lucky lately.
	near() bool
	// write sends what goes without waiting, and returns errAgain with the rest
	// left. alone says that everything sent before has been answered.
	write(b []byte, alone bool) (int, error)
	// writeAll waits until everything is with the socket.
	writeAll(b []byte) error
	// kick makes the waiting or next read return; unkick takes that back.
	kick()
	unkick()
	// unread reports whether bytes have arrived that nobody has read yet, as far as
	// the wire can tell.
	unread() bool
	// abort closes the socket and throws away what it has not delivered yet.
	abort()
}

// errAgain: the socket's send buffer is full.
var errAgain = errors.New("pool: send buffer full")

// past is a deadline that is always over.
var past = time.Unix(1, 0)

// newWire chooses the direct way for plain sockets; TLS and the connections of a
// caller's own Dial take the plain net.Conn way.
func newWire(nc net.Conn) wire {
	switch c := nc.(type) {
	case *net.TCPConn:
		setUserTimeout(c)
		if w := newRawWire(nc, c); w != nil {
			return w
		}
	case *net.UnixConn:
		if w := newRawWire(nc, c); w != nil {
			return w
		}
	}
	return &netWire{nc: nc}
}

// closeHard closes nc so that nothing is delivered after it: what lies in the
// send buffer of an abandoned connection would otherwise reach the server when the
// network is back, and overwrite what was stored since.
func closeHard(nc net.Conn) {
	type netConner interface{ NetConn() net.Conn } // *tls.Conn
	if t, ok := nc.(netConner); ok {
		nc = t.NetConn() // a close_notify would wait for a peer that does not read
	}
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = nc.Close()
}

// netWire is any other connection: TLS, or one that a caller's Dial made. Its
// writes may wait, which neither a caller with a deadline nor the reader may: a
// server does not read while it waits for us to read. So only a small batch is
// written directly, and only where the server must have read everything before it.
type netWire struct{ nc net.Conn }

func (w *netWire) read(b []byte, _ int32) (int, error) {
	n, err := w.nc.Read(b)
	if n > 0 {
		return n, nil // an error comes again with the next read
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}

func (w *netWire) exchange(send func() error, b []byte) (int, error) {
	if err := send(); err != nil {
		return 0, err
	}
	return w.read(b, 1)
}

// glance is not called, as it would wait.
func (w *netWire) glance([]byte) (int, error) { return 0, nil }
func (w *netWire) worth() bool                { return false }
func (w *netWire) learn(bool)                 {}
func (w *netWire) near() bool                 { return false }

// sureWrite is how many bytes an idle socket takes at once.
const sureWrite = 4 << 10

func (w *netWire) write(b []byte, alone bool) (int, error) {
	if !alone || len(b) > sureWrite {
		return 0, errAgain
	}
	return w.nc.Write(b)
}

func (w *netWire) writeAll(b []byte) error {
	_, err := w.nc.Write(b)
	return err
}

// unread cannot look past TLS.
func (w *netWire) unread() bool { return false }

func (w *netWire) kick()   { _ = w.nc.SetReadDeadline(past) }
func (w *netWire) unkick() { _ = w.nc.SetReadDeadline(time.Time{}) }
func (w *netWire) abort()  { closeHard(w.nc) }

func isKick(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
