package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// fleet is the memcached processes of this run.
type fleet struct {
	addrs []string
	cmds  []*exec.Cmd
}

// startServers starts n memcached with two threads each on free ports.
func startServers(n int) (*fleet, error) {
	f := &fleet{}
	for range n {
		if err := f.start(); err != nil {
			f.stop()
			return nil, err
		}
	}
	return f, nil
}

func (f *fleet) start() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	args := []string{"-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "2", "-c", "4096", "-m", "256"}
	if os.Getuid() == 0 {
		args = append(args, "-u", "nobody")
	}
	cmd := exec.Command("memcached", args...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start memcached (is it installed?): %w", err)
	}
	f.addrs, f.cmds = append(f.addrs, addr), append(f.cmds, cmd)
	for range 100 {
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			return nc.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("memcached does not answer on " + addr)
}

func (f *fleet) stop() {
	for _, cmd := range f.cmds {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// cpu returns the processor time that the servers have used, from /proc; 0 where
// there is none.
func (f *fleet) cpu() time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	total := time.Duration(0)
	for _, cmd := range f.cmds {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		if err != nil {
			continue
		}
		// Fields after the parenthesised name: utime and stime are the 12th and 13th.
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 13 {
			continue
		}
		for _, field := range fields[11:13] {
			n, _ := strconv.ParseInt(field, 10, 64)
			total += time.Duration(n) * tick
		}
	}
	return total
}
