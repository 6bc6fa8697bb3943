package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/mctest"
	"github.com/ringbeat/ringbeat/ring"
)

// certificate makes a certificate for 127.0.0.1 and a pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestTLSAndLogin(t *testing.T) {
	cert, roots := certificate(t)
	srv := mctest.Start(t, mctest.Config{
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Auth: map[string]string{"me": "secret"},
	})
	cfg := client.Config{
		Servers: []ring.Server{{Name: srv.Addr()}}, Timeout: 5 * time.Second,
		TLS: &tls.Config{RootCAs: roots}, Username: "me", Password: "secret", Heartbeat: quick,
	}
	c := newClient(t, cfg)
	must(t, c.Set(ctx, &client.Item{Key: "key", Value: []byte("x")}))
	await(t, "probes answered", func() bool { return !c.Servers()[0].Health.RepliedAt.IsZero() })
	g := c.Gomemcache()
	defer g.Close()
	it, err := g.Get("key")
	must(t, err)
	if string(it.Value) != "x" {
		t.Errorf("gomemcache read %q", it.Value)
	}

	cfg.Password = "wrong"
	wrong := newClient(t, cfg)
	if _, err := wrong.Get(ctx, "key"); err == nil {
		t.Error("a wrong password was let in")
	}
	if err := wrong.Gomemcache().Set(&memcache.Item{Key: "key"}); err == nil {
		t.Error("a wrong password was let in by gomemcache")
	}
	cfg.Password, cfg.TLS = "secret", &tls.Config{RootCAs: x509.NewCertPool()}
	if _, err := newClient(t, cfg).Get(ctx, "key"); err == nil {
		t.Error("a certificate that nobody vouches for was taken")
	}
}
