//go:build !linux

package mctest

import "io"

const normalBacklog = 0

// setBacklog cannot be done here: black-holed dials connect and hear nothing.
func setBacklog(socket, int) bool { return false }

// reservePort reserves nothing here.
func reservePort(addr string) (bound string, reserved io.Closer, err error) {
	return addr, nil, nil
}
