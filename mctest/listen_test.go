package mctest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

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
