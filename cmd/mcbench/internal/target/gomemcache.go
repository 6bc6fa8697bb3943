package target

import (
	"net"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// Gomemcache makes requests through gomemcache.
type Gomemcache struct {
	c    *memcache.Client
	home func(key string) int
}

// NewGomemcache returns a gomemcache client with this many idle connections per server.
// pick gives the address of a key's server, so that every client under test has the same
// keys on the same servers; it must be safe for concurrent use.
func NewGomemcache(addrs []string, pick func(key string) int, conns int, timeout time.Duration) *Gomemcache {
	s := &fixedSelector{pick: pick}
	for _, a := range addrs {
		s.addrs = append(s.addrs, netAddr(a))
	}
	c := memcache.NewFromSelector(s)
	c.MaxIdleConns, c.Timeout = conns, timeout
	return &Gomemcache{c: c, home: pick}
}

// fixedSelector never changes: gomemcache does not know the health of its servers.
type fixedSelector struct {
	addrs []net.Addr
	pick  func(key string) int
}

func (s *fixedSelector) PickServer(key string) (net.Addr, error) { return s.addrs[s.pick(key)], nil }

func (s *fixedSelector) Each(f func(net.Addr) error) error {
	for _, a := range s.addrs {
		if err := f(a); err != nil {
			return err
		}
	}
	return nil
}

// netAddr is an address as it was written; host names are resolved by each dial.
type netAddr string

func (a netAddr) Network() string {
	if strings.HasPrefix(string(a), "unix:") {
		return "unix"
	}
	return "tcp"
}

func (a netAddr) String() string { return strings.TrimPrefix(string(a), "unix:") }

// Get appends the key's value to dst.
func (g *Gomemcache) Get(key string, dst []byte) ([]byte, error) {
	it, err := g.c.Get(key)
	if err != nil {
		return dst, err
	}
	return append(dst, it.Value...), nil
}

// GetMulti calls visit for each value that arrived.
func (g *Gomemcache) GetMulti(keys []string, visit func(i int, value []byte)) error {
	items, err := g.c.GetMulti(keys)
	for i, k := range keys {
		if it := items[k]; it != nil {
			visit(i, it.Value)
		}
	}
	return err
}

// Set stores a value.
func (g *Gomemcache) Set(key string, value []byte, ttl int32) error {
	return g.c.Set(&memcache.Item{Key: key, Value: value, Expiration: ttl})
}

// Add stores a value if the key has none.
func (g *Gomemcache) Add(key string, value []byte, ttl int32) error {
	return g.c.Add(&memcache.Item{Key: key, Value: value, Expiration: ttl})
}

// Delete removes a key.
func (g *Gomemcache) Delete(key string) error { return g.c.Delete(key) }

// Increment adds delta to a number.
func (g *Gomemcache) Increment(key string, delta uint64) (uint64, error) {
	return g.c.Increment(key, delta)
}

// Touch gives a key a new lifetime.
func (g *Gomemcache) Touch(key string, ttl int32) error { return g.c.Touch(key, ttl) }

// Swap reads a key and stores value under its CAS token.
func (g *Gomemcache) Swap(key string, value []byte, ttl int32) error {
	it, err := g.c.Get(key)
	if err != nil {
		return err
	}
	it.Value, it.Expiration = value, ttl
	return g.c.CompareAndSwap(it)
}

// Close closes the idle connections.
func (g *Gomemcache) Close() error { return g.c.Close() }
