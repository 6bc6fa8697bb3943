// Package target is what mcbench needs of a memcached client, and the clients it knows:
// ringbeat, gomemcache, and a model of a client whose heartbeats share one pool.
package target

import "github.com/bradfitz/gomemcache/memcache"

// The answers that are no failures. Every Client returns these very values (or wraps them).
var (
	ErrMiss      = memcache.ErrCacheMiss
	ErrNotStored = memcache.ErrNotStored
	ErrConflict  = memcache.ErrCASConflict
)

// Client makes single requests. It is safe for concurrent use and bounds the time of each
// call by itself. ttl is in seconds, 0 for none.
type Client interface {
	// Get appends the value to dst.
	Get(key string, dst []byte) ([]byte, error)
	// GetMulti calls visit for each value that arrived, by the key's place in keys.
	GetMulti(keys []string, visit func(i int, value []byte)) error
	Set(key string, value []byte, ttl int32) error
	Add(key string, value []byte, ttl int32) error
	Delete(key string) error
	Increment(key string, delta uint64) (uint64, error)
	Touch(key string, ttl int32) error
	// Swap reads the key with its CAS token and stores value under it.
	Swap(key string, value []byte, ttl int32) error
	Close() error
}
