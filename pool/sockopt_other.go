//go:build !linux

package pool

import "net"

// setUserTimeout does nothing: only Linux bounds unacknowledged bytes.
func setUserTimeout(*net.TCPConn) {}
