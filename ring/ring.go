// Package ring decides which memcached server a key belongs to.
//
// A Ring is built once from a Layout and a list of servers and never changes:
// Add, Remove, Replace and Without return another Ring, so that readers may
// keep one behind an atomic pointer and look keys up without a lock. The
// package does no I/O, reads no clock and starts no goroutine.
//
// The default layout, Ketama, gives each server 160 points per unit of weight
// on a circle of 64-bit hashes; a key belongs to the first point at or after
// its own hash. Adding a server therefore moves keys to the new server only,
// and removing one moves only the keys it had. The other layouts place every
// key where another client or proxy places it; see docs/interop.md.
package ring

import (
	"crypto/fips140"
	"errors"
	"sync"
)

// Ring is an immutable placement of keys on servers. It is safe for concurrent
// use. The zero value is an empty ring on which Pick finds nothing; use New.
type Ring struct {
	// What a lookup reads comes first, so that it shares cache lines.
	scheme  scheme
	shift   uint8    // 64 minus the number of hash bits that choose a bucket
	index   []uint32 // bucket -> first point at or above the bucket's start
	points  []point  // sorted, closed by a sentinel; nil in modulo layouts
	servers []Server // the whole membership in list order, also in a view
	slots   []uint32 // modulo layouts: slot -> server
	out     []bool   // servers that Without took out; nil means none
	live    int      // len(servers) minus those that are out
	full    *Ring    // the ring that a view was cut from; nil in a full ring

	sharesOnce sync.Once
	shares     []float64 // by server; filled by the first call of Share
}

// Point is one place of a server on the circle.
type Point struct {
	Hash   uint64 // 32-bit layouts use the low half
	Server string // Server.Name of the owner
}

// New builds the ring of the given servers. Their order decides nothing in the
// default layout; in the other layouts it is the order of the other client's
// server list, which matters there. The error names every problem at once and
// wraps ErrUnknownLayout, ErrNoServers, ErrDuplicate, ErrBadName, ErrBadAddr
// or ErrBadWeight, several of them where several apply.
func New(l Layout, servers ...Server) (*Ring, error) {
	sc, layoutErr := l.scheme()
	list, listErr := normalize(servers)
	fipsErr := sc.checkDigest(fips140.Enforced())
	if err := errors.Join(layoutErr, fipsErr, listErr); err != nil {
		return nil, err
	}
	return build(sc, list)
}

// Pick returns the server that key belongs to. It reports false when Without
// has taken out every server that has keys. It does not allocate, as long as
// the key is no longer than the 250 bytes that memcached takes.
func (r *Ring) Pick(key string) (Server, bool) {
	i := r.Index(key)
	if i < 0 {
		return Server{}, false
	}
	return r.servers[i], true
}

// Index returns the place of Pick's server in the list that the ring was built
// from, or -1 where Pick reports false. A view numbers the servers as the full
// ring does, so that a caller may keep what belongs to a server in a slice
// beside the ring. It does not allocate.
func (r *Ring) Index(key string) int {
	if len(r.points) != 0 {
		return int(r.points[r.seek(r.scheme.hashKey(key))].owner)
	}
	return r.pickSlot(key)
}

// Servers returns the servers in list order, with Name, Addr and Weight filled
// in; in a view those that are not taken out. The caller owns the slice.
func (r *Ring) Servers() []Server {
	list := make([]Server, 0, r.live)
	for i, s := range r.servers {
		if !r.isOut(i) {
			list = append(list, s)
		}
	}
	return list
}

// Points returns every point in the order in which a lookup meets them, equal
// hashes in the layout's tie order. Modulo layouts have none. It is meant for
// tests and tools: the slice is made anew by each call and the caller owns it.
func (r *Ring) Points() []Point {
	if len(r.points) == 0 {
		return nil
	}
	all := make([]Point, 0, len(r.points)-1)
	for _, p := range r.points[:len(r.points)-1] {
		all = append(all, Point{Hash: r.scheme.value(p.hash()), Server: r.servers[p.owner].Name})
	}
	return all
}

// HashKey returns the 64-bit xxh64 hash of key, which the default layout uses
// for lookups and which is the same in every process. Its high bits say where
// on the circle the key lies; a decision that must be independent of the key's
// server is better taken from the low bits.
func HashKey(key string) uint64 {
	return hashXX(key)
}

func (r *Ring) isOut(i int) bool {
	return r.out != nil && r.out[i]
}

// find returns the place of a server in the whole membership, or -1.
func (r *Ring) find(name string) int {
	for i := range r.servers {
		if r.servers[i].Name == name {
			return i
		}
	}
	return -1
}
