package mctest_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// realMemcached starts memcached with args on a free port and returns its
// address. Without the program the test is skipped, except on CI.
func realMemcached(t testing.TB, args ...string) string {
	t.Helper()
	addr, _ := realProcess(t, args...)
	return addr
}

// realProcess is realMemcached for those who want to send signals.
func realProcess(t testing.TB, args ...string) (string, *os.Process) {
	t.Helper()
	path := findProgram(t, "memcached")
	for range 5 {
		addr := freeAddr(t)
		_, port, _ := net.SplitHostPort(addr)
		cmd := exec.Command(path, append([]string{"-u", "nobody", "-l", "127.0.0.1", "-p", port}, args...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if answers(addr, 5*time.Second) {
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
			return addr, cmd.Process
		}
		_ = cmd.Process.Kill() // somebody else got the port: try another
		_ = cmd.Wait()
	}
	t.Fatal("memcached did not start")
	return "", nil
}

// findProgram finds the first of names that is installed.
func findProgram(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v is not installed", names)
	}
	t.Skipf("%v is not installed", names)
	return ""
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

func answers(addr string, within time.Duration) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		_ = nc.SetDeadline(time.Now().Add(within))
		_, err = fmt.Fprint(nc, "version\r\n")
		if err == nil {
			_, err = nc.Read(make([]byte, 1))
		}
		_ = nc.Close()
		return err == nil
	}
	return false
}

// talker sends requests on one connection and reads what comes back.
type talker struct {
	t  testing.TB
	nc net.Conn
}

// patience bounds every wait in these tests; no test waits so long if all is well.
const patience = 20 * time.Second

func dialTalker(t testing.TB, addr string) *talker {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &talker{t: t, nc: nc}
}

// closed stands in a reply for a connection that the server has closed.
const closed = "<closed>"

// ask sends requests and a marked one behind them, and returns all replies before
// that one's.
func (k *talker) ask(requests string) string {
	k.t.Helper()
	const end = "NF Oend\r\n"
	_ = k.nc.SetDeadline(time.Now().Add(patience))
	if _, err := k.nc.Write([]byte(requests + "md - Oend\r\n")); err != nil {
		return closed
	}
	var got []byte
	buf := make([]byte, 64<<10)
	for !bytes.HasSuffix(got, []byte(end)) {
		n, err := k.nc.Read(buf)
		got = append(got, buf[:n]...)
		if os.IsTimeout(err) {
			k.t.Fatalf("no reply to %.200q, only %.200q", requests, got)
		}
		if err != nil {
			return string(got) + closed
		}
	}
	return string(bytes.TrimSuffix(got, []byte(end)))
}
