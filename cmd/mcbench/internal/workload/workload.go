// Package workload decides what each request is: its operation, key and value size, all
// drawn from (seed, request number), so that a run can be repeated request by request.
package workload

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Config describes a workload. Parse fills nothing in: every field is set by the caller.
type Config struct {
	Seed     uint64
	Keys     int     // stored keys
	Prefix   string  // of every key name
	KeySize  string  // see ParseKeySize
	Law      string  // see ParseKeyLaw
	Mix      Mix     // share of each operation
	Size     string  // see ParseSizeLaw
	MGet     int     // keys per multi-get
	TTL      string  // "0", "60" or "60-300": seconds
	HitRatio float64 // share of the reads that find a stored key; 1 means all
	MinSize  int     // values are at least this long; verification needs 24
}

// Workload draws requests. It is safe for concurrent use.
type Workload struct {
	Keys *Keys

	seed            uint64
	law             KeyLaw
	size            SizeLaw
	sizes           []uint32 // of each key's value: drawn once, so that a request allocates nothing
	mix             Mix
	mget            int
	ttlLow, ttlHigh int
	hitRatio        float64
	minSize         int
	newestOf        *latest // set when the law is latest
}

// Request is one request to make.
type Request struct {
	Op   Op
	Key  int
	Keys []int // for MGet; the slice is reused by the next call of Request
	TTL  int32 // seconds, 0 for none; for Set, Add, CAS and Touch

	rng Rand // here, since a local one would escape to the heap
}

// New checks a configuration, naming everything that is wrong with it at once, and builds
// the key space.
func New(c Config) (*Workload, error) {
	w, keySize, err := parse(c)
	if err != nil {
		return nil, err
	}
	if w.newestOf, _ = w.law.(*latest); w.newestOf != nil {
		w.newestOf.writes = w.mix.writes()
	}
	if w.Keys, err = NewKeys(c.Keys, c.Prefix, keySize); err != nil {
		return nil, err
	}
	w.drawSizes()
	return w, nil
}

// Check tells what is wrong with a configuration without building anything.
func (c Config) Check() error {
	keysErr := checkKeys(c.Keys)
	if keysErr != nil {
		c.Keys = 1 // said once is enough
	}
	_, _, err := parse(c)
	return errors.Join(err, checkPrefix(c.Prefix), keysErr)
}

func parse(c Config) (w *Workload, keySize SizeLaw, err error) {
	w = &Workload{seed: c.Seed, mix: c.Mix, mget: c.MGet, hitRatio: c.HitRatio, minSize: c.MinSize}
	var errs [6]error
	w.size, errs[0] = ParseSizeLaw(c.Size)
	keySize, errs[1] = ParseKeySize(c.KeySize)
	w.ttlLow, w.ttlHigh, errs[2] = parseTTL(c.TTL)
	w.law, errs[3] = ParseKeyLaw(c.Law, c.Keys)
	if most := min(100, max(c.Keys, 1)); c.MGet < 1 || c.MGet > most {
		errs[4] = fmt.Errorf("multi-get of %d keys: want 1 to %d", c.MGet, most)
	}
	if !(c.HitRatio >= 0 && c.HitRatio <= 1) {
		errs[5] = fmt.Errorf("hit ratio %v: want 0 to 1", c.HitRatio)
	}
	return w, keySize, errors.Join(errs[:]...)
}

// parseTTL reads seconds: "60" or "60-300". Above 30 days memcached takes the number as a
// date, so that is refused.
func parseTTL(s string) (low, high int, err error) {
	const month = 30 * 24 * 3600
	a, b, ranged := strings.Cut(s, "-")
	low, err1 := strconv.Atoi(strings.TrimSuffix(a, "s"))
	high, err2 := low, error(nil)
	if ranged {
		high, err2 = strconv.Atoi(strings.TrimSuffix(b, "s"))
	}
	if err1 != nil || err2 != nil || low < 0 || high < low || high > month {
		return 0, 0, fmt.Errorf("ttl %q: want seconds from 0 to %d, such as 60 or 60-300", s, month)
	}
	return low, high, nil
}

// Request draws request number slot into q.
func (w *Workload) Request(slot uint64, q *Request) {
	r := &q.rng
	*r = NewRand(w.seed, slot)
	q.Op = w.mix.pick(r)
	q.TTL = 0
	switch q.Op {
	case Incr:
		q.Key = w.Keys.Counter(r.IntN(w.Keys.Counters()))
	case MGet:
		q.Keys = q.Keys[:0]
		for range w.mget {
			q.Keys = append(q.Keys, w.unused(q.Keys, w.readKey(r, slot)))
		}
		q.Key = q.Keys[0]
	case Get:
		q.Key = w.readKey(r, slot)
	case Set, Add, CAS:
		q.Key = w.writeKey(r, slot)
		q.TTL = w.ttl(r)
	default:
		q.Key = w.law.Pick(r, slot)
		q.TTL = w.ttl(r)
	}
}

func (w *Workload) readKey(r *Rand, slot uint64) int {
	if w.hitRatio < 1 && r.Float64() >= w.hitRatio {
		return w.Keys.n + r.IntN(w.Keys.absent)
	}
	return w.law.Pick(r, slot)
}

// unused returns key or the first after it that is not among keys: a multi-get asks for
// distinct keys.
func (w *Workload) unused(keys []int, key int) int {
	for slices.Contains(keys, key) {
		key = (key + 1) % w.Keys.n
	}
	return key
}

func (w *Workload) writeKey(r *Rand, slot uint64) int {
	if w.newestOf != nil {
		return w.newestOf.Newest(slot)
	}
	return w.law.Pick(r, slot)
}

func (w *Workload) ttl(r *Rand) int32 {
	return int32(w.ttlLow + r.IntN(w.ttlHigh-w.ttlLow+1))
}

// Size returns the length of key i's value: it belongs to the key, so that a value does
// not change its length from write to write.
func (w *Workload) Size(i int) int { return int(w.sizes[i]) }

func (w *Workload) drawSizes() {
	w.sizes = make([]uint32, w.Keys.Len()+w.Keys.absent)
	for i := range w.sizes {
		r := NewRand(0x73697a65, uint64(i)) // "size"
		w.sizes[i] = uint32(max(w.size.Size(&r), w.minSize))
	}
}

// TTL returns the lifetime in seconds that preload gives key i.
func (w *Workload) TTL(i int) int32 {
	r := NewRand(0x74746c, uint64(i)) // "ttl"
	return w.ttl(&r)
}

// Describe returns the workload in one line.
func (w *Workload) Describe() string {
	s := fmt.Sprintf("%s, keys %s of %d, values %s B", w.mix, w.law, w.Keys.Len(), w.size)
	if w.hitRatio < 1 {
		s += fmt.Sprintf(", hit ratio %g", w.hitRatio)
	}
	return s
}
