package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
)

// Selector returns a gomemcache selector that follows this client's ring,
// membership and health: PickServer names the key's home or, while that is
// ejected, the stand-in; where nobody serves the key the error is ErrServerDown.
// Each visits the servers that are in use, without a lock. The selector moves
// keys, but what its user writes leaves no hints here.
func (c *Client) Selector() memcache.ServerSelector { return selector{c} }

// Gomemcache returns a gomemcache client over Selector, with this client's way of
// dialing (TLS and login included) and its Timeout. It is for code that wants
// that type; it does not time attempts, retry or leave hints.
func (c *Client) Gomemcache() *memcache.Client {
	g := memcache.NewFromSelector(c.Selector())
	g.Timeout = c.cfg.Timeout
	g.DialContext = c.dialGomemcache
	return g
}

type selector struct{ c *Client }

// PickServer implements memcache.ServerSelector.
func (s selector) PickServer(key string) (net.Addr, error) {
	snap := s.c.snap.Load()
	home := snap.servers[snap.home(key)]
	where := atHome
	if home.careful.Load() {
		where = home.serves(key, snap)
	}
	switch where {
	case atHome, isMiss:
		return addrOf(home), nil
	case byOthers:
		var not trail
		not.add(home)
		if standIn := snap.standIn(key, &not); standIn != nil && s.c.cfg.OnEject == Rehash {
			return addrOf(standIn), nil
		}
		if snap.modeOf(home).open() {
			return addrOf(home), nil
		}
	}
	return nil, ErrServerDown
}

// Each implements memcache.ServerSelector.
func (s selector) Each(visit func(net.Addr) error) error {
	snap := s.c.snap.Load()
	for i, server := range snap.servers {
		if !snap.modes[i].open() {
			continue
		}
		if err := visit(addrOf(server)); err != nil {
			return err
		}
	}
	return nil
}

// addr is a server's address as gomemcache dials it.
type addr struct{ network, address string }

// Network returns "tcp" or "unix".
func (a *addr) Network() string { return a.network }

// String returns "host:port" or the socket's path.
func (a *addr) String() string { return a.address }

func addrOf(s *server) net.Addr { return &s.addr }

// dialGomemcache dials and logs in.
func (c *Client) dialGomemcache(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.cfg.dial(ctx, network, address)
	if err != nil || c.cfg.Username == "" {
		return conn, err
	}
	if err := c.login(conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) login(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(c.cfg.Timeout)); err != nil {
		return err
	}
	if _, err := conn.Write(proto.AppendAuth(nil, c.cfg.Username, c.cfg.Password)); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(conn, 64).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != "STORED" {
		return errors.Join(pool.ErrDial, fmt.Errorf("login refused: %q", strings.TrimSpace(line)))
	}
	return conn.SetDeadline(time.Time{})
}
