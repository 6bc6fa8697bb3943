package pool

import (
	"net"
	"syscall"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall lacks.
const tcpUserTimeout = 18

// userTimeoutMillis is how long sent bytes may stay unacknowledged before the
// kernel gives the connection up. Requests time out long before; this ends
// connections to which nobody sends any more.
const userTimeoutMillis = 2000

func setUserTimeout(c *net.TCPConn) {
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, userTimeoutMillis)
	})
}
