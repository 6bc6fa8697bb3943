package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"

	"github.com/ringbeat/ringbeat/pool"
)

// dialer returns the function that opens a connection to addr, for requests and
// for heartbeats alike.
func (c *Config) dialer(addr string) func(context.Context) (net.Conn, error) {
	network, address := pool.SplitAddr(addr)
	return func(ctx context.Context) (net.Conn, error) { return c.dial(ctx, network, address) }
}

func (c *Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil || c.TLS == nil {
		return conn, err
	}
	secure := tls.Client(conn, c.tlsFor(address))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

func (c *Config) tlsFor(address string) *tls.Config {
	if c.TLS.ServerName != "" || c.TLS.InsecureSkipVerify {
		return c.TLS
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	named := c.TLS.Clone()
	named.ServerName = host
	return named
}

// ownFault reports whether a failed dial tells about this process rather than
// about the server: it has no files, ports or memory left.
func ownFault(err error) bool {
	for _, own := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}
