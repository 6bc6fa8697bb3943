package ring

import (
	"crypto/md5"  // what the layouts of others hash with; nothing secret here
	"crypto/sha1" // likewise
	"encoding/binary"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
)

// keyHash says how a layout hashes keys. It is a number and not a function so
// that the compiler sees that no key outlives its lookup.
type keyHash uint8

const (
	keyXX      keyHash = iota // xxh64, the only one with 64 bits
	keyMD5                    // the first four bytes of the digest
	keyFNV1a                  // fnv1a_64 of twemproxy and libmemcached, cut to 32 bits
	keyCRC32                  // IEEE
	keyCRC15                  // the upper half of that without its top bit
	keyJenkins                // one_at_a_time
)

// hashKey returns the place of key on the circle.
func (sc *scheme) hashKey(key string) uint64 {
	if sc.key == keyXX {
		return hashXX(key)
	}
	return uint64(sc.hash32(key))<<32 ^ sc.flip
}

func (sc *scheme) hash32(key string) uint32 {
	switch sc.key {
	case keyMD5:
		return hashMD5(key)
	case keyFNV1a:
		return hashFNV1a(key)
	case keyCRC32:
		return hashCRC32(key)
	case keyCRC15:
		return hashCRC32(key) >> 16 & 0x7fff
	case keyJenkins:
		return hashJenkins(key)
	}
	panic("bug: layout without a 32-bit key hash")
}

func hashXX(key string) uint64 {
	return xxhash.Sum64String(key)
}

func hashMD5(key string) uint32 {
	var room [250]byte // memcached's longest key, so that none goes to the heap
	digest := md5.Sum(append(room[:0], key...))
	return binary.LittleEndian.Uint32(digest[:])
}

// hashCRC32 walks the table by itself: keys are short, and the standard
// library's choice of an implementation at run time makes every key escape.
func hashCRC32(key string) uint32 {
	crc := ^uint32(0)
	for i := range len(key) {
		crc = crc32.IEEETable[byte(crc)^key[i]] ^ crc>>8
	}
	return ^crc
}

// hashFNV1a is what a 64-bit FNV-1a becomes when state and prime are cut to 32
// bits. Bytes are signed, as they are in C on x86: from 0x80 on they also flip
// the upper 24 bits.
func hashFNV1a(key string) uint32 {
	hash := uint32(0x84222325) // low half of the offset basis 0xcbf29ce484222325
	for i := range len(key) {
		hash = (hash ^ signed(key[i])) * 0x1b3 // low half of the prime 0x100000001b3
	}
	return hash
}

// hashJenkins is Bob Jenkins's one_at_a_time, with signed bytes like the above.
func hashJenkins[T string | []byte](key T) uint32 {
	var hash uint32
	for i := range len(key) {
		hash += signed(key[i])
		hash += hash << 10
		hash ^= hash >> 6
	}
	hash += hash << 3
	hash ^= hash >> 11
	return hash + hash<<15
}

func signed(b byte) uint32 {
	return uint32(int32(int8(b)))
}

// pointXX gives one 64-bit point per label.
func pointXX(dst []uint64, label []byte) []uint64 {
	return append(dst, xxhash.Sum64(label))
}

// pointsMD5 gives the four words of the digest, each little-endian.
func pointsMD5(dst []uint64, label []byte) []uint64 {
	digest := md5.Sum(label)
	for word := 0; word < len(digest); word += 4 {
		dst = append(dst, uint64(binary.LittleEndian.Uint32(digest[word:])))
	}
	return dst
}

// pointSHA1 gives the first word of the digest, big-endian.
func pointSHA1(dst []uint64, label []byte) []uint64 {
	digest := sha1.Sum(label)
	return append(dst, uint64(binary.BigEndian.Uint32(digest[:])))
}

func pointJenkins(dst []uint64, label []byte) []uint64 {
	return append(dst, uint64(hashJenkins(label)))
}
