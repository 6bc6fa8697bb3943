//go:build !unix

package pool

import (
	"net"
	"syscall"
)

// newRawWire returns nil: the direct way is for Unix file descriptors.
func newRawWire(net.Conn, syscall.Conn) wire { return nil }
