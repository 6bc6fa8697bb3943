package mctest

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// normalBacklog is net's own choice; the kernel cuts it to somaxconn.
const normalBacklog = 4096

// setBacklog changes how many connections may wait to be accepted; a second
// listen(2) on a listening socket does just that.
func setBacklog(ln socket, n int) bool {
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.Listen(int(fd), n) })
	return err == nil && failed == nil
}

// reservePort binds a socket to addr that never listens, beside the one that
// does. While the server refuses, it keeps the port: nobody else can be given
// it, and no dialling socket on this machine either, which could then even
// connect to itself.
func reservePort(addr string) (bound string, reserved io.Closer, err error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return "", nil, err
	}
	if tcp.IP == nil {
		return addr, nil, nil // "all addresses" is bound in net's own way
	}
	family, sa := sockaddr(tcp)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	f := fileDescriptor(fd)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return "", nil, errors.Join(os.NewSyscallError("setsockopt", err), f.Close())
	}
	if err := syscall.Bind(fd, sa); err != nil {
		return "", nil, errors.Join(os.NewSyscallError("bind", err), f.Close())
	}
	if tcp.Port == 0 {
		if tcp.Port, err = boundPort(fd); err != nil {
			return "", nil, errors.Join(err, f.Close())
		}
	}
	return tcp.String(), f, nil
}

type fileDescriptor int

func (f fileDescriptor) Close() error { return syscall.Close(int(f)) }

func sockaddr(a *net.TCPAddr) (family int, sa syscall.Sockaddr) {
	if ip := a.IP.To4(); ip != nil {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
	}
	zone := uint32(0)
	if i, err := net.InterfaceByName(a.Zone); err == nil {
		zone = uint32(i.Index)
	}
	ip, _ := netip.AddrFromSlice(a.IP)
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: a.Port, Addr: ip.As16(), ZoneId: zone}
}

func boundPort(fd int) (int, error) {
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return sa.Port, nil
	case *syscall.SockaddrInet6:
		return sa.Port, nil
	}
	panic("bug: a TCP socket with an address of another family")
}
