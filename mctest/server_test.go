package mctest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// until reads up to and including end.

func (k *talker) until(end string) string {
	k.t.Helper()
	_ = k.nc.SetReadDeadline(time.Now().Add(patience))
	var got []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(got), end); {
		if _, err := k.nc.Read(b); err != nil {
			k.t.Fatalf("%q, then %v; want %q", got, err, end)
		}
		got = append(got, b...)
	}
	return string(got)
}

// testCertificate is a self-signed certificate for 127.0.0.1.

func TestAuthentication(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth")
	check(t, os.WriteFile(file, []byte("user:secret\nother:pw\n"), 0o644))
	for dir := filepath.Dir(file); dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		check(t, os.Chmod(dir, 0o755)) // for the user that memcached becomes
	}
	real := realMemcached(t, "-Y", file)
	srv := mctest.Start(t, mctest.Config{Auth: map[string]string{"user": "secret", "other": "pw"}})
	for _, requests := range []string{
		"get a\r\n", "version\r\n", "mn\r\n", "quit\r\n", "set\r\n", "set a 0 0 x\r\n", "\r\n",
		"set a 0 0 11\r\nuser secret\r\nset a 0 0 1\r\n1\r\nget a\r\n",
		"set a 0 0 8 noreply\r\nother pw\r\nversion\r\n",
		"set auth x y 11\r\nuser secret\r\nversion\r\n",
		"set a 0 0 10\r\nuser wrong\r\n",
		"set a 0 0 9\r\nuser user\r\n", "set a 0 0 4\r\nuser\r\n", "set a 0 0 0\r\n\r\n",
		"set a 0 0 11\r\nuser secretXX",
		"set a 0 0 11\r\nuser sec", "set a 0 0 12\r\nuser  secret\r\nversion\r\n",
	} {
		want, got := conversation(t, real, requests), conversation(t, srv.Addr(), requests)
		if got != want {
			t.Errorf("%q\n got %q\nwant %q", requests, got, want)
		}
	}
	if s := srv.Stats(); s.AuthErrors != 2 {
		t.Errorf("%d failed logins counted, want 2", s.AuthErrors)
	}
}

func TestOldVersionsDoNotKnowNewCommands(t *testing.T) {
	for _, v := range []struct {
		version          string
		meta, gat, touch bool
	}{
		{"1.4.5", false, false, false},
		{"1.4.39", false, false, true},
		{"1.5.2", false, false, true},
		{"1.5.3", false, true, true},
		{"1.5.22", false, true, true},
		{"1.6.0-beta1", true, true, true},
		{"1.6.40", true, true, true},
	} {
		t.Run(v.version, func(t *testing.T) {
			srv := mctest.Start(t, mctest.Config{Version: v.version})
			got := conversation(t, srv.Addr(), "version\r\nmn\r\ngat 0 a\r\ntouch a 0\r\nmg a v\r\nset a 0 0 1\r\n1\r\n")
			answer := func(known bool, reply string) string {
				if known {
					return reply
				}
				return "ERROR\r\n"
			}
			want := "VERSION " + v.version + "\r\n" + answer(v.meta, "MN\r\n") + answer(v.gat, "END\r\n") +
				answer(v.touch, "NOT_FOUND\r\n") + answer(v.meta, "EN\r\n") + "STORED\r\n"
			if got != want {
				t.Errorf("got %q\nwant %q", got, want)
			}
		})
	}
}

// pipeTalker talks to srv through memory.

func pipeTalker(t *testing.T, srv *mctest.Server) *talker {
	t.Helper()
	nc, err := srv.Dial(t.Context(), "tcp", "")
	check(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	return &talker{t: t, nc: nc}
}

func TestValueAndFlushAllNeedNoTraffic(t *testing.T) {
	clock := newFakeClock()
	srv := mctest.Start(t, mctest.Config{Clock: clock.Now})
	k := dialTalker(t, srv.Addr())
	k.ask("set a 0 10 1\r\n1\r\nset b 0 0 1\r\n2\r\n")
	if v, ok := srv.Value("a"); v != "1" || !ok {
		t.Errorf("a is %q, %v", v, ok)
	}
	clock.Advance(10 * time.Second)
	if v, ok := srv.Value("a"); ok {
		t.Errorf("a outlives its exptime: %q", v)
	}
	srv.FlushAll()
	if v, ok := srv.Value("b"); ok || srv.Stats().Bytes != 0 || srv.Stats().Gets != 0 {
		t.Errorf("b is %q, %+v", v, srv.Stats())
	}
}

func TestClusterConfiguration(t *testing.T) {
	srv := mctest.Start(t)
	srv.SetCluster("12\na.example|10.0.0.1|11211 b.example||11211\n")
	got := conversation(t, srv.Addr(), "config get cluster\r\nconfig get other\r\n")
	want := "CONFIG cluster 0 45\r\n12\na.example|10.0.0.1|11211 b.example||11211\n\r\nEND\r\nERROR\r\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	srv.SetCluster("")
	if got := conversation(t, srv.Addr(), "config get cluster\r\n"); got != "ERROR\r\n" {
		t.Errorf("taken away, but %q", got)
	}
}

func TestBadConfigurationIsToldAtOnce(t *testing.T) {
	_, err := mctest.New(mctest.Config{MaxBytes: -1, MaxItemSize: -1, MaxConns: -1, IdleTimeout: -1, Version: "new"})
	for _, what := range []string{"MaxBytes", "MaxItemSize", "MaxConns", "IdleTimeout", "new"} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v does not name %s", err, what)
		}
	}
	for _, addr := range []string{"nonsense", "127.0.0.1:x", "192.0.2.1:0", "unix:/nonexistent/x"} {
		if s, err := mctest.New(mctest.Config{Addr: addr}); err == nil {
			s.Close()
			t.Errorf("listened on %q", addr)
		}
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 20 {
		srv := mctest.Start(t)
		for range 5 {
			dialTalker(t, srv.Addr()).send("get a\r\nset half 0 0 100\r\n")
		}
		pipeTalker(t, srv)
		[]func() error{srv.Hang, srv.BlackHole, srv.Refuse, srv.Kill, srv.Heal}[i%5]()
		srv.Slow(time.Hour)
		srv.Close()
		srv.Close()
		if s := srv.Stats(); s.Conns != 0 {
			t.Fatalf("%d connections after Close", s.Conns)
		}
		for _, call := range []func() error{srv.Hang, srv.BlackHole, srv.Refuse, srv.Kill, srv.Restart, srv.Heal} {
			if err := call(); !errors.Is(err, mctest.ErrClosed) {
				t.Fatalf("after Close: %v", err)
			}
		}
	}
	// A goroutine that has said its last word needs a moment to be gone.
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
}

func TestDialMeetsTheFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true})
		k := pipeTalker(t, srv)
		check(t, srv.BlackHole())
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := srv.Dial(ctx, "tcp", "")
		if !os.IsTimeout(err) || time.Since(start) != 3*time.Second {
			t.Errorf("black hole: %v after %v", err, time.Since(start))
		}
		check(t, srv.Refuse())
		if _, err := srv.Dial(t.Context(), "tcp", ""); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("refusing: %v", err)
		}
		check(t, srv.Kill())
		if got := k.ask("get a\r\n"); got != closed {
			t.Errorf("killed, but %q", got)
		}
		check(t, srv.BlackHole())
		dialled := make(chan *talker)
		go func() { dialled <- pipeTalker(t, srv) }()
		synctest.Wait()
		check(t, srv.Heal())
		if got := (<-dialled).ask("get a\r\n"); got != "END\r\n" {
			t.Errorf("healed, but %q", got)
		}
	})
}

func TestServeRunsOnAnyConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true})
		ours, theirs := net.Pipe()
		srv.Serve(theirs)
		k := &talker{t: t, nc: ours}
		if got := k.ask("set a 0 0 1\r\n1\r\nget a\r\n"); got != "STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n" {
			t.Errorf("got %q", got)
		}
		check(t, srv.Kill())
		ours, theirs = net.Pipe()
		srv.Serve(theirs)
		if got := (&talker{t: t, nc: ours}).ask("get a\r\n"); got != closed {
			t.Errorf("a killed server answers %q", got)
		}
	})
}
