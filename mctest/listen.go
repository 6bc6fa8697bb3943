package mctest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// listener is a socket that can be closed, filled up and opened again without
// losing its address. All methods need Server.control.
type listener struct {
	network, addr string // addr as Server.Addr reports it
	bind          string // as package net wants it
	accepted      func(net.Conn)

	reach    reach
	ln       socket        // nil while refusing
	stop     chan struct{} // closed to stop the accept loop; nil while there is none
	stopped  chan struct{} // closed when it has ended
	filler   net.Conn      // fills the backlog
	reserved io.Closer     // keeps the port ours while nobody listens on it
}

// socket is a net.TCPListener or a net.UnixListener.
type socket interface {
	net.Listener
	SetDeadline(time.Time) error
}

// listen opens addr and hands each connection to accepted.
func listen(addr string, accepted func(net.Conn)) (*listener, error) {
	l := &listener{network: "tcp", addr: addr, bind: addr, accepted: accepted, reach: refusing}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		l.network, l.bind = "unix", path
	}
	if err := l.reserve(); err != nil {
		return nil, fmt.Errorf("mctest: %w", err)
	}
	if err := l.become(accepting); err != nil {
		l.remove()
		return nil, err
	}
	return l, nil
}

// reserve fixes the port and, where the system can, keeps it.
func (l *listener) reserve() error {
	if l.network != "tcp" {
		return nil
	}
	bound, reserved, err := reservePort(l.bind)
	if err != nil {
		return err
	}
	l.bind, l.addr, l.reserved = bound, bound, reserved
	return nil
}

// become makes dials find r.
func (l *listener) become(r reach) error {
	if r == refusing {
		l.close()
		return nil
	}
	if l.ln == nil {
		if err := l.open(); err != nil {
			return fmt.Errorf("mctest: %w", err)
		}
	}
	if r == full {
		l.fillUp()
	} else {
		l.letIn()
	}
	l.reach = r
	return nil
}

// open listens, without accepting yet.
func (l *listener) open() error {
	if l.network == "unix" {
		if err := os.Remove(l.bind); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	lc := net.ListenConfig{KeepAlive: -1}
	ln, err := lc.Listen(context.Background(), l.network, l.bind)
	if err != nil {
		return err
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // so that a dial is refused, as after a crash
	}
	l.ln = ln.(socket)
	if l.network == "tcp" {
		l.bind = ln.Addr().String()
		l.addr = l.bind
	}
	return nil
}

// letIn accepts connections.
func (l *listener) letIn() {
	if l.stop != nil {
		return
	}
	setBacklog(l.ln, normalBacklog)
	var skip net.Addr
	if l.filler != nil {
		skip = l.filler.LocalAddr()
		_ = l.filler.Close()
		l.filler = nil
	}
	_ = l.ln.SetDeadline(time.Time{})
	l.stop, l.stopped = make(chan struct{}), make(chan struct{})
	go func(ln net.Listener, stop <-chan struct{}, stopped chan<- struct{}) {
		defer close(stopped)
		acceptLoop(ln, skip, l.accepted, stop)
	}(l.ln, l.stop, l.stopped)
}

// outOfFilesPause is how long accepting waits when the process has no file
// descriptor left; net/http begins with as much.
const outOfFilesPause = 5 * time.Millisecond

// acceptLoop hands on connections until it is stopped. skip is the address of our
// own filler, which is nobody's connection.
func acceptLoop(ln net.Listener, skip net.Addr, accepted func(net.Conn), stop <-chan struct{}) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil && skip != nil && nc.RemoteAddr().String() == skip.String():
			_ = nc.Close()
			skip = nil
		case err == nil:
			accepted(nc)
		case !isOutOfFiles(err):
			return
		default:
			pause.Reset(outOfFilesPause)
			select {
			case <-pause.C:
			case <-stop:
				return
			}
		}
	}
}

// halt ends the accept loop; connections that come now wait in the backlog.
func (l *listener) halt() {
	if l.stop == nil {
		return
	}
	close(l.stop)
	_ = l.ln.SetDeadline(time.Unix(1, 0))
	<-l.stopped
	l.stop = nil
}

// fillTimeout bounds the dial that fills the backlog. It only takes that long if
// the backlog is full already.
const fillTimeout = 200 * time.Millisecond

// fillUp stops accepting and fills the backlog, so that the kernel drops every
// further SYN: listen(fd, 0) leaves room for one connection, which is ours.
func (l *listener) fillUp() {
	l.halt()
	if l.filler != nil || !setBacklog(l.ln, 0) || l.network != "tcp" {
		return
	}
	// A failure means that somebody else's connection fills it: just as good.
	l.filler, _ = net.DialTimeout("tcp", l.dialAddr(), fillTimeout)
}

// dialAddr is l.bind with an address that can be dialled.
func (l *listener) dialAddr() string {
	a := l.ln.Addr().(*net.TCPAddr)
	if !a.IP.IsUnspecified() {
		return l.bind
	}
	ip := "127.0.0.1"
	if a.IP.To4() == nil {
		ip = "::1"
	}
	return net.JoinHostPort(ip, fmt.Sprint(a.Port))
}

// close stops listening; the kernel resets what waits in the backlog.
func (l *listener) close() {
	if l.ln == nil {
		return
	}
	l.halt()
	_ = l.ln.Close()
	l.ln = nil
	if l.filler != nil {
		_ = l.filler.Close()
		l.filler = nil
	}
	l.reach = refusing
}

// remove gives the address up for good.
func (l *listener) remove() {
	l.close()
	if l.reserved != nil {
		_ = l.reserved.Close()
		l.reserved = nil
	}
	if l.network == "unix" {
		_ = os.Remove(l.bind)
	}
}
