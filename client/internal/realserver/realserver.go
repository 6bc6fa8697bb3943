// Package realserver runs real memcached processes for tests, on ports of their
// own, and lets tests stop, kill and restart them.
package realserver

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is one memcached. Its methods fail the test on error.
type Process struct {
	t    testing.TB
	Addr string
	args []string
	cmd  *exec.Cmd
}

// Start runs memcached with args on a free port of 127.0.0.1 until the test ends.
// Without the program the test is skipped, but fails where CI=true.
func Start(t testing.TB, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, args: args}
	for range 5 {
		p.Addr = freeAddr(t)
		if p.run() {
			t.Cleanup(p.end)
			return p
		}
	}
	t.Fatal("memcached does not start")
	return nil
}

func (p *Process) run() bool {
	p.t.Helper()
	path, err := exec.LookPath("memcached")
	if err != nil {
		if os.Getenv("CI") == "true" {
			p.t.Fatal("memcached is not installed")
		}
		p.t.Skip("memcached is not installed")
	}
	_, port, _ := net.SplitHostPort(p.Addr)
	args := append([]string{"-u", "nobody", "-l", "127.0.0.1", "-p", port, "-t", "2"}, p.args...)
	p.cmd = exec.Command(path, args...)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := p.ask("mn\r\n"); err == nil {
			return true
		}
	}
	p.end()
	return false
}

// ask sends one command on a connection of its own and returns the first line.
func (p *Process) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", p.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(conn, command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// Get returns the value that the server holds for key, past any client.
func (p *Process) Get(key string) (value string, ok bool) {
	p.t.Helper()
	line, err := p.ask("mg " + key + " s v\r\n")
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.HasPrefix(line, "VA ") {
		return "", false
	}
	conn, err := net.DialTimeout("tcp", p.Addr, time.Second)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(conn, "get %s\r\n", key)
	r := bufio.NewReader(conn)
	header, _ := r.ReadString('\n')
	var size int
	if n, _ := fmt.Sscanf(header, "VALUE %s %d %d", new(string), new(int), &size); n != 3 {
		return "", false
	}
	b := make([]byte, size)
	for n := 0; n < size; {
		m, err := r.Read(b[n:])
		if err != nil {
			p.t.Fatal(err)
		}
		n += m
	}
	return string(b), true
}

// Set stores a value, past any client.
func (p *Process) Set(key, value string) {
	p.t.Helper()
	line, err := p.ask(fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", key, len(value), value))
	if err != nil || line != "STORED" {
		p.t.Fatalf("set: %q, %v", line, err)
	}
}

// Port returns the port number.
func (p *Process) Port() string {
	_, port, _ := net.SplitHostPort(p.Addr)
	return port
}

// Stop freezes the process: the kernel still accepts connections for it. It
// returns when every thread has come to rest.
func (p *Process) Stop() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	for end := time.Now().Add(5 * time.Second); !p.stopped(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			p.t.Fatal("memcached does not stop")
		}
	}
}

func (p *Process) stopped() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	for _, thread := range threads {
		b, err := os.ReadFile(thread)
		_, state, _ := strings.Cut(string(b), ") ")
		if err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// Continue thaws it.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

// Kill ends the process at once.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// Restart starts a killed process again, empty, on the same port.
func (p *Process) Restart() {
	p.t.Helper()
	if !p.run() {
		p.t.Fatal("memcached does not start again")
	}
}

func (p *Process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
