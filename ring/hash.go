package ring

import "github.com/cespare/xxhash/v2"

// keyHash says how a layout hashes keys. It is a number and not a function so
// that the compiler sees that no key outlives the lookup.
type keyHash uint8

const (
	keyXX keyHash = iota
)

// hashKey returns the place of key on the circle.
func (sc *scheme) hashKey(key string) uint64 {
	return hashXX(key)
}

func hashXX(key string) uint64 { return xxhash.Sum64String(key) }

// pointXX gives one 64-bit point per label.
func pointXX(dst []uint64, label []byte) []uint64 {
	return append(dst, xxhash.Sum64(label))
}
