package heartbeat

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// memcached runs the real server on a free port, or on what args say.
func memcached(t *testing.T, addr string, args ...string) (pid int) {
	t.Helper()
	path, err := exec.LookPath("memcached")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("memcached is not installed")
		}
		t.Skip("memcached is not installed")
	}
	args = append([]string{"-u", "nobody"}, args...)
	if host, port, err := net.SplitHostPort(addr); err == nil && !strings.HasPrefix(addr, "unix:") {
		args = append(args, "-l", host, "-p", port)
	}
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// freeAddr returns an address on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// events runs a monitor outside of synctest and passes its transitions on.
func events(t *testing.T, addr string, cfg Config) (*Monitor, <-chan Transition) {
	t.Helper()
	told := make(chan Transition, 100)
	cfg.OnTransition = func(tr Transition) {
		select {
		case told <- tr:
		default: // nobody looks any more
		}
	}
	m := Start(addr, cfg)
	t.Cleanup(m.Stop)
	return m, told
}

// await returns the transition to state, passing over others.
func await(t *testing.T, told <-chan Transition, state State) Transition {
	t.Helper()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	for {
		select {
		case tr := <-told:
			if tr.To == state {
				return tr
			}
		case <-timeout.C:
			t.Fatalf("no transition to %v in 30 s", state)
		}
	}
}

func TestMemcachedThroughItsTroubles(t *testing.T) {
	addr := freeAddr(t)
	m, told := events(t, addr, Config{Initial: Probation})
	if tr := await(t, told, Ejected); !errors.Is(tr.Err, syscall.ECONNREFUSED) {
		t.Errorf("before it is there: %v", tr.Err)
	}
	pid := memcached(t, addr)
	await(t, told, Healthy)
	if s := m.Snapshot(); s.Version == "" || s.RTT <= 0 || s.RepliedAt.IsZero() {
		t.Errorf("healthy, but %+v", s)
	}

	signal(t, pid, syscall.SIGSTOP)
	if tr := await(t, told, Ejected); !isTimeout(tr.Err) || tr.Reason != ReasonFall {
		t.Errorf("stopped: %s, %v", tr.Reason, tr.Err)
	}
	signal(t, pid, syscall.SIGCONT)
	if tr := await(t, told, Healthy); !tr.Incarnation.Known || !tr.Incarnation.Same {
		t.Errorf("continued: %+v", tr.Incarnation)
	}

	signal(t, pid, syscall.SIGKILL)
	await(t, told, Ejected)
	memcached(t, addr)
	if tr := await(t, told, Healthy); !tr.Incarnation.Empty() {
		t.Errorf("restarted: %+v", tr.Incarnation)
	}
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

func TestMemcachedOnAUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "heartbeat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mc.sock")
	memcached(t, "unix:"+path, "-s", path)
	_, told := events(t, "unix:"+path, Config{Initial: Probation})
	await(t, told, Healthy)
}

func TestMemcachedThatWantsALogin(t *testing.T) {
	dir, err := os.MkdirTemp("", "heartbeat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "auth")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, []byte("user:secret\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	memcached(t, addr, "-Y", file)
	_, told := events(t, addr, Config{Initial: Probation, Username: "user", Password: "secret"})
	await(t, told, Healthy)
	for _, password := range []string{"", "wrong"} {
		cfg := Config{Password: password}
		if password != "" {
			cfg.Username = "user"
		}
		_, told := events(t, addr, cfg)
		if tr := await(t, told, Ejected); !errors.Is(tr.Err, proto.ErrAuth) {
			t.Errorf("password %q: %v", password, tr.Err)
		}
	}
}

// TestMemcachedAtItsConnectionLimit fills the server up, with its two ways to
// turn further connections away.
func TestMemcachedAtItsConnectionLimit(t *testing.T) {
	for _, option := range []string{"maxconns_fast", "no_maxconns_fast"} {
		addr := freeAddr(t)
		memcached(t, addr, "-c", "32", "-t", "1", "-o", option)
		m, told := events(t, addr, Config{Initial: Probation, Renew: 100 * ms, Interval: 50 * ms})
		await(t, told, Healthy)
		for range 50 {
			conn, err := net.DialTimeout("tcp", addr, 100*ms)
			if err != nil {
				break // the server listens with no backlog when it is full
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
		for range 3 { // renewals that fail
			seen, deadline := m.Snapshot().Failures, time.Now().Add(10*time.Second)
			for m.Snapshot().Failures == seen {
				if time.Now().After(deadline) {
					t.Fatalf("%s: no renewal has failed", option)
				}
				time.Sleep(10 * ms)
			}
		}
		select {
		case tr := <-told:
			t.Errorf("%s: became %v: %s, %v", option, tr.To, tr.Reason, tr.Err)
		default:
		}
		m.Stop()
	}
}

func TestHTTPServerIsNamed(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	_, told := events(t, srv.Listener.Addr().String(), Config{})
	if tr := await(t, told, Ejected); !errors.Is(tr.Err, proto.ErrNotMemcached) || !strings.Contains(tr.Err.Error(), "HTTP") {
		t.Errorf("error %v", tr.Err)
	}
}

func TestPlainDialClosesWithoutATrace(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	conn, err := dialAddr(l.Addr().String())(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	discard(conn)
	_ = far.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other side sees %v, want a reset", err)
	}
}
