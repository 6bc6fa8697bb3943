package mctest_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// short is how long these tests look at something that must not happen. A longer
// look could only make them stricter.
const short = 50 * time.Millisecond

// send writes requests without waiting for anything.
func (k *talker) send(requests string) {
	k.t.Helper()
	_ = k.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := k.nc.Write([]byte(requests)); err != nil {
		k.t.Fatal(err)
	}
}

// expect reads exactly want.
func (k *talker) expect(want string) {
	k.t.Helper()
	_ = k.nc.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(k.nc, got); err != nil || string(got) != want {
		k.t.Fatalf("got %q, %v; want %q", got[:n], err, want)
	}
}

// expectSilence checks that nothing comes.
func (k *talker) expectSilence() {
	k.t.Helper()
	_ = k.nc.SetReadDeadline(time.Now().Add(short))
	n, err := k.nc.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		k.t.Fatalf("read %d bytes, %v; want silence", n, err)
	}
}

// expectEnd checks that the connection is at its end, with want as its error
// (nil: an orderly close).
func (k *talker) expectEnd(want error) {
	k.t.Helper()
	_ = k.nc.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(k.nc)
	if len(b) != 0 || !errors.Is(err, want) {
		k.t.Fatalf("read %q, %v; want %v", b, err, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHungServerTakesRequestsAndAnswersThemAfterHeal(t *testing.T) {
	srv := mctest.Start(t)
	k := dialTalker(t, srv.Addr())
	k.ask("set a 0 0 1\r\n1\r\n")
	check(t, srv.Hang())
	k.send("get a\r\n")
	k.expectSilence()
	late := dialTalker(t, srv.Addr())
	late.send("set a 0 0 1\r\n2\r\n")
	late.expectSilence()
	check(t, srv.Heal())
	k.expect("VALUE a 0 1\r\n")
	late.expect("STORED\r\n")
}

// stopper is a server that can be brought to a standstill.
type stopper struct {
	addr       string
	stop, heal func() error
}

// standstills are the ways to it: ours, and SIGSTOP for the real memcached.
var standstills = map[string]func(*testing.T) stopper{
	"hang": func(t *testing.T) stopper {
		srv := mctest.Start(t)
		return stopper{srv.Addr(), srv.Hang, srv.Heal}
	},
	"black hole": func(t *testing.T) stopper {
		srv := mctest.Start(t)
		return stopper{srv.Addr(), srv.BlackHole, srv.Heal}
	},
	"memcached": func(t *testing.T) stopper {
		addr, process := realProcess(t)
		return stopper{
			addr, func() error { return process.Signal(syscall.SIGSTOP) },
			func() error { return process.Signal(syscall.SIGCONT) },
		}
	},
}

// A write that its client has given up still lands, and a reset in place of a
// close does not take it back: it is in the server's hands already.
func TestGhostWriteLandsAfterHeal(t *testing.T) {
	for name, start := range standstills {
		for _, ending := range []string{"closed", "reset"} {
			t.Run(name+" "+ending, func(t *testing.T) {
				srv := start(t)
				k := dialTalker(t, srv.addr)
				k.ask("set a 0 0 3\r\nold\r\n")
				check(t, srv.stop())
				k.send("set a 0 0 5\r\nghost\r\n")
				if ending == "reset" {
					check(t, k.nc.(*net.TCPConn).SetLinger(0))
				}
				check(t, k.nc.Close())
				check(t, srv.heal())
				after := dialTalker(t, srv.addr)
				waitFor(t, func() bool { return strings.Contains(after.ask("get a\r\n"), "ghost") })
			})
		}
	}
}

// waitFor polls until it is true.
func waitFor(t *testing.T, it func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !it(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

func TestBlackHoleSwallowsDialsAndRequests(t *testing.T) {
	srv := mctest.Start(t)
	k := dialTalker(t, srv.Addr())
	k.ask("version\r\n")
	conns := srv.Stats().TotalConns
	for range 3 {
		check(t, srv.BlackHole())
		k.send("set a 0 0 1\r\n1\r\n")
		k.expectSilence()
		for range 2 {
			nc, err := net.DialTimeout("tcp", srv.Addr(), short)
			if !os.IsTimeout(err) {
				t.Fatalf("dialled a black hole: %v, %v", nc, err)
			}
		}
		check(t, srv.Heal())
		k.expect("STORED\r\n")
		dialTalker(t, srv.Addr()).ask("version\r\n")
		conns++
	}
	if got := srv.Stats().TotalConns; got != conns {
		t.Errorf("%d connections counted, want %d: our own filler must not count", got, conns)
	}
}

func TestBlackHoleHoldsInADialStorm(t *testing.T) {
	srv := mctest.Start(t)
	stop := make(chan struct{})
	var storm sync.WaitGroup
	defer storm.Wait()
	defer close(stop)
	for range 8 {
		storm.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if nc, err := net.DialTimeout("tcp", srv.Addr(), short); err == nil {
					_, _ = nc.Write([]byte("get a\r\n"))
					_ = nc.Close()
				}
			}
		})
	}
	for range 5 {
		check(t, srv.BlackHole())
		if nc, err := net.DialTimeout("tcp", srv.Addr(), short); !os.IsTimeout(err) {
			t.Fatalf("dialled a black hole: %v, %v", nc, err)
		}
		check(t, srv.Heal())
		if got := dialTalker(t, srv.Addr()).ask("get a\r\n"); got != "END\r\n" {
			t.Fatalf("healed, but %q", got)
		}
	}
}

func TestKilledServerResetsAndRefuses(t *testing.T) {
	srv := mctest.Start(t)
	k := dialTalker(t, srv.Addr())
	k.ask("set a 0 0 1\r\n1\r\n")
	before := srv.Stats()
	check(t, srv.Kill())
	k.expectEnd(syscall.ECONNRESET)
	if _, err := net.Dial("tcp", srv.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("dial: %v, want refused", err)
	}
	check(t, srv.Restart())
	k = dialTalker(t, srv.Addr())
	if got := k.ask("get a\r\n"); got != "END\r\n" {
		t.Errorf("the new incarnation remembers: %q", got)
	}
	after := srv.Stats()
	if after.PID == before.PID || after.TotalConns != 1 || after.Items != 0 {
		t.Errorf("not a new incarnation: %+v", after)
	}
}

func TestRefusingServerKeepsItsConnections(t *testing.T) {
	srv := mctest.Start(t)
	k := dialTalker(t, srv.Addr())
	k.ask("set a 0 0 1\r\n1\r\n")
	check(t, srv.Refuse())
	if _, err := net.Dial("tcp", srv.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("dial: %v, want refused", err)
	}
	if got := k.ask("get a\r\n"); got != "VALUE a 0 1\r\n1\r\nEND\r\n" {
		t.Errorf("open connection got %q", got)
	}
	check(t, srv.Heal())
	if got := dialTalker(t, srv.Addr()).ask("get a\r\n"); got != "VALUE a 0 1\r\n1\r\nEND\r\n" {
		t.Errorf("after Heal %q", got)
	}
}

func dialOnce(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, patience) }

func TestHungServerInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true})
		k := pipeTalker(t, srv)
		check(t, srv.Hang())
		k.send("set a 0 0 5\r\nghost\r\n")
		_ = k.nc.Close()
		time.Sleep(time.Hour)
		if _, ok := srv.Value("a"); ok {
			t.Error("a hung server works")
		}
		check(t, srv.Heal())
		synctest.Wait()
		if v, _ := srv.Value("a"); v != "ghost" {
			t.Errorf("after Heal a is %q", v)
		}
	})
}

func TestKilledWhileHungForgetsWhatItTookIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true})
		k := pipeTalker(t, srv)
		check(t, srv.Hang())
		k.send("set a 0 0 1\r\n1\r\n")
		check(t, srv.Kill())
		check(t, srv.Heal())
		synctest.Wait()
		if v, ok := srv.Value("a"); ok {
			t.Errorf("the request lived on: %q", v)
		}
	})
}

// A hung server must not become a memory leak of the test.
func TestHungServerTakesInABoundedAmount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true})
		k := pipeTalker(t, srv)
		check(t, srv.Hang())
		_ = k.nc.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := k.nc.Write([]byte(strings.Repeat("get a\r\n", 1<<20)))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n < 1<<20 || n > 2<<20 {
			t.Errorf("took %d bytes, %v", n, err)
		}
	})
}

// A wake-up lost between a switch and a connection would leave a request without
// a reply for ever.
func TestNoRequestIsLostAroundASwitch(t *testing.T) {
	cert := testCertificate(t)
	for name, cfg := range map[string]mctest.Config{
		"plain": {}, "TLS": {TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}, "memory": {NoListen: true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := mctest.Start(t, cfg)
			nc, err := srv.Dial(t.Context(), "tcp", "")
			switch name {
			case "plain":
				nc, err = dialOnce(srv.Addr())
			case "TLS":
				nc, err = tls.Dial("tcp", srv.Addr(), &tls.Config{InsecureSkipVerify: true})
			}
			check(t, err)
			k := &talker{t: t, nc: nc}
			t.Cleanup(func() { _ = nc.Close() })
			for i := range 600 {
				k.send("get a\r\n")
				check(t, []func() error{srv.Hang, srv.BlackHole, srv.Hang}[i%3]())
				want := "END\r\n"
				if i%2 == 0 && !(cfg.NoListen && i%3 == 1) { // a pipe has no buffer to send into
					k.send("get b\r\n")
					want += want
				}
				check(t, srv.Heal())
				k.expect(want)
			}
		})
	}
}
