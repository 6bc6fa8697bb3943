package workload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// MaxKeySize is memcached's limit in bytes.
const MaxKeySize = 250

// Keys is the key space: names by number, made once so that a request allocates nothing.
// Numbers below Len are stored items, the next Absent are never stored, and the last
// Counters hold numbers for incr.
type Keys struct {
	n, absent, counters int
	arena               string
	ends                []uint32 // end of each name in the arena
	tags                []uint64 // hash of each name
}

const (
	maxKeys  = 20_000_000
	absents  = 10_000
	counters = 1_000
)

// ParseKeySize reads the law of key lengths: fb or a number; "" means as short as the
// names allow.
func ParseKeySize(s string) (SizeLaw, error) {
	switch s {
	case "":
		return nil, nil
	case "fb":
		return fbKey{}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxKeySize {
		return nil, fmt.Errorf("key size %q: want 1 to %d, or fb", s, MaxKeySize)
	}
	return fixedSize(n), nil
}

// NewKeys names n keys prefix0, prefix1, ... padded on the right to the lengths of size,
// which may be nil. A name is never cut: it must stay distinct.
func NewKeys(n int, prefix string, size SizeLaw) (*Keys, error) {
	if err := errors.Join(checkKeys(n), checkPrefix(prefix)); err != nil {
		return nil, err
	}
	k := &Keys{n: n, absent: absents, counters: counters}
	total := n + k.absent + k.counters
	k.ends, k.tags = make([]uint32, total), make([]uint64, total)
	var arena strings.Builder
	var name []byte
	for i := range total {
		name = k.appendName(name[:0], prefix, i)
		name = pad(name, size, i)
		if arena.Len()+len(name) > 1<<32-1 {
			return nil, fmt.Errorf("%d keys of this length need more than 4 GiB of names", n)
		}
		arena.Write(name)
		k.ends[i], k.tags[i] = uint32(arena.Len()), xxhash.Sum64(name)
	}
	k.arena = arena.String()
	return k, nil
}

func checkKeys(n int) error {
	if n < 1 || n > maxKeys {
		return fmt.Errorf("%d keys: want 1 to %d", n, maxKeys)
	}
	return nil
}

func checkPrefix(p string) error {
	if len(p) > MaxKeySize-30 {
		return fmt.Errorf("key prefix of %d bytes: want at most %d", len(p), MaxKeySize-30)
	}
	for i := range len(p) {
		if p[i] <= ' ' || p[i] == 0x7f {
			return fmt.Errorf("key prefix %q: memcached allows no space or control byte in a key", p)
		}
	}
	return nil
}

func (k *Keys) appendName(b []byte, prefix string, i int) []byte {
	b = append(b, prefix...)
	switch {
	case i < k.n:
		return strconv.AppendInt(b, int64(i), 10)
	case i < k.n+k.absent:
		return strconv.AppendInt(append(b, "absent-"...), int64(i-k.n), 10)
	}
	return strconv.AppendInt(append(b, "counter-"...), int64(i-k.n-k.absent), 10)
}

func pad(name []byte, size SizeLaw, i int) []byte {
	if size == nil {
		return name
	}
	r := NewRand(0x6b65_79, uint64(i)) // "key": the length belongs to the key, not to the run
	want := size.Size(&r)
	for len(name) < want {
		name = append(name, '.')
	}
	return name
}

// Len returns the number of stored keys.
func (k *Keys) Len() int { return k.n }

// Total returns the number of all keys: stored, absent and counters.
func (k *Keys) Total() int { return len(k.ends) }

// Name returns the name of key i.
func (k *Keys) Name(i int) string {
	start := uint32(0)
	if i > 0 {
		start = k.ends[i-1]
	}
	return k.arena[start:k.ends[i]]
}

// Tag returns the hash of key i's name, which marks its values.
func (k *Keys) Tag(i int) uint64 { return k.tags[i] }

// Stored tells whether key i holds a value (not absent, not a counter).
func (k *Keys) Stored(i int) bool { return i < k.n }

// Counter returns the number of the j-th counter key.
func (k *Keys) Counter(j int) int { return k.n + k.absent + j }

// Counters returns how many counter keys there are.
func (k *Keys) Counters() int { return k.counters }

// headerSize is what a value needs to carry key tag, version and run.
const headerSize = 24

// Values makes and checks values: value = f(key, version, run). Values of 24 bytes and
// more carry all three in front; the rest is a stretch of fixed random bytes chosen by
// key and version. It is safe for concurrent use.
type Values struct {
	block []byte
	run   uint64
}

const offsets = 1 << 16

// NewValues returns the maker of one run's values; run must differ from run to run.
func NewValues(run uint64) *Values {
	v := &Values{block: make([]byte, MaxValueSize+offsets), run: run}
	r := NewRand(0x76616c756573, 0)
	for i := 0; i+8 <= len(v.block); i += 8 {
		binary.LittleEndian.PutUint64(v.block[i:], r.Uint64())
	}
	return v
}

// Append appends the value of size bytes for a key's tag and version to dst.
func (v *Values) Append(dst []byte, tag uint64, version uint32, size int) []byte {
	if size >= headerSize {
		dst = binary.BigEndian.AppendUint64(dst, tag)
		dst = binary.BigEndian.AppendUint64(dst, uint64(version))
		dst = binary.BigEndian.AppendUint64(dst, v.run)
		size -= headerSize
	}
	return append(dst, v.fill(tag, version, size)...)
}

func (v *Values) fill(tag uint64, version uint32, size int) []byte {
	off := int(mix64(tag^uint64(version)) % offsets)
	return v.block[off : off+size]
}

// Verdict is what Check finds in a value.
type Verdict uint8

// The verdicts. Foreign is a value of another run; its version means nothing here.
const (
	Right Verdict = iota
	Wrong
	Foreign
)

// Check reads the version of a value that was got for a key's tag, and tells whether every
// byte is what this run stored. Values too short for a header are Foreign.
func (v *Values) Check(value []byte, tag uint64) (version uint32, verdict Verdict) {
	if len(value) < headerSize {
		return 0, Foreign
	}
	if binary.BigEndian.Uint64(value) != tag {
		return 0, Wrong
	}
	n := binary.BigEndian.Uint64(value[8:])
	if binary.BigEndian.Uint64(value[16:]) != v.run {
		return 0, Foreign
	}
	body := value[headerSize:]
	if n > 1<<32-1 || len(body) > MaxValueSize || string(body) != string(v.fill(tag, uint32(n), len(body))) {
		return 0, Wrong
	}
	return uint32(n), Right
}
