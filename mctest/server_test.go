package mctest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
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

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mc.sock")
	srv := mctest.Start(t, mctest.Config{Addr: "unix:" + path})
	if srv.Addr() != "unix:"+path {
		t.Errorf("Addr is %q", srv.Addr())
	}
	dial := func() (net.Conn, error) { return net.DialTimeout("unix", path, short) }
	for range 2 {
		nc, err := dial()
		check(t, err)
		k := &talker{t: t, nc: nc}
		if got := k.ask("set a 0 0 1\r\n1\r\n"); got != "STORED\r\n" {
			t.Errorf("got %q", got)
		}
		check(t, srv.Kill())
		if _, err := dial(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialled a killed server: %v", err)
		}
		check(t, srv.Restart())
	}
	srv.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func TestAddressSurvivesEveryFault(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		t.Run(addr, func(t *testing.T) {
			srv := mctest.Start(t, mctest.Config{Addr: addr})
			want := srv.Addr()
			for range 3 {
				for _, fault := range []func() error{srv.Kill, srv.Refuse, srv.BlackHole, srv.Hang, srv.Kill, srv.BlackHole, srv.Refuse, srv.Hang} {
					check(t, fault())
				}
				check(t, srv.Heal())
				if got := dialTalker(t, want).ask("set a 0 0 1\r\n1\r\n"); got != "STORED\r\n" || srv.Addr() != want {
					t.Fatalf("at %s, was %s: %q", srv.Addr(), want, got)
				}
			}
		})
	}
}

func TestTwoServersCannotShareAnAddress(t *testing.T) {
	srv := mctest.Start(t)
	if other, err := mctest.New(mctest.Config{Addr: srv.Addr()}); err == nil {
		other.Close()
		t.Fatal("second server on the same address")
	}
}

// testCertificate is a self-signed certificate for 127.0.0.1.
func testCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSWithFaults(t *testing.T) {
	cert := testCertificate(t)
	srv := mctest.Start(t, mctest.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	check(t, err)
	roots.AddCert(leaf)
	dial := func(timeout time.Duration) (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: timeout}, "tcp", srv.Addr(), &tls.Config{RootCAs: roots})
	}
	nc, err := dial(patience)
	check(t, err)
	k := &talker{t: t, nc: nc}
	k.ask("set a 0 0 1\r\n1\r\n")
	for _, fault := range []func() error{srv.Hang, srv.BlackHole} {
		check(t, fault())
		k.send("get a\r\n")
		if _, err := dial(short); err == nil {
			t.Error("a handshake got through")
		}
		check(t, srv.Heal())
		k.expect("VALUE a 0 1\r\n1\r\nEND\r\n")
	}
	check(t, srv.Hang())
	k.send("get a\r\n")
	if _, err := dial(short); err == nil { // gives the server time to come to rest
		t.Error("a handshake got through")
	}
	check(t, srv.Kill())
	if got := k.ask("get a\r\n"); got != closed {
		t.Errorf("killed, but %q", got)
	}
}

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

func TestEndlessLinesAreCutOffUnlessTheyAreGets(t *testing.T) {
	for name, addr := range map[string]string{"memcached": realMemcached(t), "mctest": mctest.Start(t).Addr()} {
		t.Run(name, func(t *testing.T) {
			k := dialTalker(t, addr)
			k.send("mg " + strings.Repeat("x", 3000))
			k.expectEnd(nil)
			for _, cmd := range []string{"get", "gets"} {
				k = dialTalker(t, addr)
				k.send(cmd + strings.Repeat(" key", 30_000))
				k.expectSilence()
				k.send("\r\n")
				k.expect("END\r\n")
			}
		})
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

func TestTooManyConnectionsAreTurnedAway(t *testing.T) {
	srv := mctest.Start(t, mctest.Config{MaxConns: 2})
	a, b := dialTalker(t, srv.Addr()), dialTalker(t, srv.Addr())
	a.ask("version\r\n")
	b.ask("version\r\n")
	extra := dialTalker(t, srv.Addr())
	extra.expect("ERROR Too many open connections\r\n")
	extra.expectEnd(nil)
	if s := srv.Stats(); s.Conns != 2 || s.TotalConns != 2 || s.RejectedConns != 1 {
		t.Errorf("%+v", s)
	}
	_ = a.nc.Close()
	waitFor(t, func() bool { return srv.Stats().Conns == 1 })
	dialTalker(t, srv.Addr()).ask("version\r\n")
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true, IdleTimeout: time.Minute})
		k := pipeTalker(t, srv)
		for range 3 {
			time.Sleep(59 * time.Second)
			if got := k.ask("get a\r\n"); got != "END\r\n" {
				t.Fatalf("got %q", got)
			}
		}
		start := time.Now()
		_ = k.nc.SetReadDeadline(time.Time{})
		if n, err := k.nc.Read(make([]byte, 1)); err == nil || time.Since(start) != time.Minute {
			t.Errorf("read %d, %v after %v", n, err, time.Since(start))
		}
		if s := srv.Stats(); s.IdleKicks != 1 {
			t.Errorf("%d idle kicks, want 1", s.IdleKicks)
		}
	})
}

// pipeTalker talks to srv through memory.
func pipeTalker(t *testing.T, srv *mctest.Server) *talker {
	t.Helper()
	nc, err := srv.Dial(t.Context(), "tcp", "")
	check(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	return &talker{t: t, nc: nc}
}

func TestMemoryIsBoundedAndTheLeastRecentlyUsedGoes(t *testing.T) {
	srv := mctest.Start(t, mctest.Config{MaxBytes: 100 * 1060})
	k := dialTalker(t, srv.Addr())
	value := strings.Repeat("x", 1000)
	for i := range 150 {
		k.ask(fmt.Sprintf("set key%03d 0 0 1000\r\n%s\r\nget key000\r\n", i, value))
	}
	s := srv.Stats()
	if s.Bytes > 100*1060 || s.Items != 99 || s.Evictions != 51 {
		t.Errorf("%d items, %d bytes, %d evictions", s.Items, s.Bytes, s.Evictions)
	}
	for key, want := range map[string]bool{"key000": true, "key001": false, "key051": false, "key052": true, "key149": true} {
		if _, ok := srv.Value(key); ok != want {
			t.Errorf("%s is there: %v, want %v", key, ok, want)
		}
	}
}

func TestItemLimitIsConfigurable(t *testing.T) {
	srv := mctest.Start(t, mctest.Config{MaxItemSize: 2048})
	k := dialTalker(t, srv.Addr())
	for size, want := range map[int]string{2048 - 60: "STORED\r\n", 2048 - 59: "SERVER_ERROR object too large for cache\r\n"} {
		if got := k.ask(fmt.Sprintf("set k 0 0 %d\r\n%s\r\n", size, strings.Repeat("x", size))); got != want {
			t.Errorf("%d bytes: got %q, want %q", size, got, want)
		}
	}
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
