package pool

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// works has 16 goroutines set and get through p, some of them in a hurry.
func works(t *testing.T, p *Pool) {
	t.Helper()
	must(t, p.Do(background, set("large", strings.Repeat("v", 100<<10))))
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			key := fmt.Sprint("key", i)
			must(t, p.Do(background, set(key, "value of "+key)))
			for n := range 200 {
				ctx, cancel := context.WithTimeout(background, time.Duration(n%8)*time.Millisecond)
				_ = p.Do(ctx, get("large"))
				cancel()
				r := get(key)
				if err := p.Do(background, r); err != nil || string(r.Reply.Value) != "value of "+key {
					t.Errorf("%q, %v", r.Reply.Value, err)
					return
				}
			}
		})
	}
	callers.Wait()
	if s := p.Stats(); s.Dials > 3 || s.Lost > 0 || s.Mismatches > 0 {
		t.Errorf("%+v", s)
	}
}

func TestUnixSocket(t *testing.T) {
	addr := memcachedOn(t, filepath.Join(t.TempDir(), "mc.sock"))
	works(t, newPool(t, addr, Config{Timeout: patience}))
}

// certificate makes a certificate for 127.0.0.1, its files, and who trusts it.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "memcached"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(t, os.WriteFile(certFile, certPEM, 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}

// overTLS dials addr with the certificates that roots trusts.
func overTLS(addr string, roots *x509.CertPool) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{RootCAs: roots}}
		return d.DialContext(ctx, "tcp", addr)
	}
}

func TestTLS(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	servers := map[string]string{
		"real memcached": memcached(t, "-Z", "-o", "ssl_chain_cert="+certFile+",ssl_key="+keyFile),
		"mctest":         mctest.Start(t, mctest.Config{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}}).Addr(),
	}
	for name, addr := range servers {
		t.Run(name, func(t *testing.T) {
			works(t, newPool(t, addr, Config{Timeout: patience, DialTimeout: patience, Dial: overTLS(addr, roots)}))
		})
		t.Run(name+" not trusted", func(t *testing.T) {
			p := newPool(t, addr, Config{Timeout: patience, DialTimeout: patience, Dial: overTLS(addr, x509.NewCertPool())})
			err := p.Do(background, get("key"))
			wantSent(t, err, ErrDial, false)
			var unknown x509.UnknownAuthorityError
			if !errors.As(err, &unknown) {
				t.Errorf("the error does not tell the cause: %v", err)
			}
		})
		t.Run(name+" without TLS", func(t *testing.T) {
			p := newPool(t, addr, Config{Timeout: time.Second, DialTimeout: 200 * time.Millisecond})
			wantSent(t, p.Do(background, get("key")), ErrDial, false)
		})
	}
}

func TestLogin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth")
	must(t, os.WriteFile(file, []byte("user:secret\n"), 0o644))
	servers := map[string]string{
		"real memcached": memcached(t, "-Y", file),
		"mctest":         mctest.Start(t, mctest.Config{Auth: map[string]string{"user": "secret"}}).Addr(),
		"mctest 1.5":     mctest.Start(t, mctest.Config{Auth: map[string]string{"user": "secret"}, Version: "1.5.22"}).Addr(),
	}
	for name, addr := range servers {
		t.Run(name, func(t *testing.T) {
			works(t, newPool(t, addr, Config{Timeout: patience, Username: "user", Password: "secret"}))
			for what, cfg := range map[string]Config{
				"a wrong password": {Username: "user", Password: "wrong"},
				"no password":      {},
			} {
				cfg.Timeout = patience
				p := newPool(t, addr, cfg)
				err := p.Do(background, get("key"))
				wantSent(t, err, ErrDial, false)
				if !strings.Contains(err.Error(), "auth") || strings.Contains(err.Error(), "wrong") {
					t.Errorf("%s: the error reads %q", what, err)
				}
			}
		})
	}
}

// TestOthersThanMemcachedAreToldApart: an error that says what is there instead
// saves somebody an hour.
func TestOthersThanMemcachedAreToldApart(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	full := memcached(t, "-c", "100")
	fillUp(t, full)
	for name, c := range map[string]struct{ addr, says string }{
		"a web server":            {web.Listener.Addr().String(), "HTTP"},
		"too many connections":    {full, "connections"},
		"nobody":                  {freeAddr(t), "refused"},
		"a server that hangs up":  {hangsUp(t, ""), "EOF"},
		"a greeting without end":  {hangsUp(t, strings.Repeat("x", 10_000)), "no line end"},
		"an ERROR but no version": {hangsUp(t, "ERROR\r\nhello\r\n"), "memcached"},
	} {
		t.Run(name, func(t *testing.T) {
			var told []Failure
			var mu sync.Mutex
			p := newPool(t, c.addr, Config{Conns: 1, Timeout: patience, OnFailure: func(f Failure) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, f)
			}})
			err := p.Do(background, get("key"))
			wantSent(t, err, ErrDial, false)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error reads %q, want %q in it", err, c.says)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(told) != 1 || told[0].Kind != DialFailed {
				t.Errorf("told of %+v", told)
			}
		})
	}
}

// fillUp opens connections until the server takes no more.
func fillUp(t *testing.T, addr string) {
	t.Helper()
	for range 200 {
		nc, err := net.Dial("tcp", addr)
		must(t, err)
		t.Cleanup(func() { _ = nc.Close() })
		_, _ = nc.Write([]byte("mn\r\n"))
		said := make([]byte, 5)
		if n, _ := nc.Read(said); string(said[:n]) == "ERROR" {
			return
		}
	}
	t.Fatal("the server has no limit")
}

// hangsUp is a server that says something and hangs up.
func hangsUp(t *testing.T, says string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = nc.Read(make([]byte, 4)) // what is unread would turn the close into a reset
			_, _ = nc.Write([]byte(says))
			_ = nc.Close()
		}
	}()
	return ln.Addr().String()
}
