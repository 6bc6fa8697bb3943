package mctest

import "sync"

// item is one stored value with what memcached keeps beside it. Times are in
// server seconds, see clock.
type item struct {
	key      string
	value    []byte
	flags    uint32
	cas      uint64
	exptime  int64 // 0 means never
	stored   int64
	accessed int64
	fetched  bool // has been hit before (mg h)
	stale    bool // marked by md I or an outdated cas with I
	won      bool // somebody has been told to recache (mg W)
	binary   bool // the key came in base64 and goes out in base64

	newer, older *item // neighbours in the LRU ring
}

// itemHeader is what memcached adds to key, value and client flags of an item:
// its header, the CAS, the key's NUL and the value's line end.
const itemHeader = 48 + 8 + 1 + 2

// itemSize is the size of an item as memcached counts it.
func itemSize(keyLen, valueLen int, flags uint32) int {
	n := itemHeader + keyLen + valueLen
	if flags != 0 {
		n += 4 // flags of 0 are not stored
	}
	return n
}

func (it *item) expired(now int64) bool { return it.exptime != 0 && it.exptime <= now }

func (it *item) size() int { return itemSize(len(it.key), len(it.value), it.flags) }

// store is the memory of one incarnation of a server.
type store struct {
	clock    clock
	maxBytes int64
	maxItem  int

	mu         sync.Mutex // guards the fields below, and all items
	items      map[string]*item
	lru        item // sentinel: lru.older is the newest item, lru.newer the oldest
	bytes      int64
	lastCAS    uint64
	oldestLive int64  // flush_all: items stored up to this second are gone, 0 = none
	oldestCAS  uint64 // flush_all: items with a smaller cas are gone
	n          counters
}

func newStore(cfg Config) *store {
	s := &store{
		clock:    clock{read: cfg.Clock, started: cfg.Clock()},
		maxBytes: cfg.MaxBytes,
		maxItem:  cfg.MaxItemSize,
		items:    make(map[string]*item),
	}
	s.lru.newer, s.lru.older = &s.lru, &s.lru
	return s
}

func (s *store) nextCAS() uint64 {
	s.lastCAS++
	return s.lastCAS
}

// find returns the live item of key, or nil. Like memcached it drops expired and
// flushed items only when somebody asks for them.
func (s *store) find(key []byte, now int64) *item {
	it := s.items[string(key)]
	switch {
	case it == nil:
		return nil
	case s.flushed(it, now):
		s.n.getFlushed++
	case it.expired(now):
		s.n.getExpired++
	default:
		return it
	}
	s.unlink(it)
	return nil
}

// flushed reports whether flush_all has hit it. The flush of this second takes
// everything with a smaller cas; of the seconds before it, everything.
func (s *store) flushed(it *item, now int64) bool {
	if s.oldestLive == 0 || s.oldestLive > now {
		return false
	}
	return it.stored <= s.oldestLive || it.cas < s.oldestCAS
}

// flush is flush_all. There is one flush time only, so what an earlier flush has
// hit must go before a delayed one takes its place. (memcached may bring such
// items back for the time of the delay, if its crawler has not found them yet.)
func (s *store) flush(delay int32, now int64) {
	if delay > 0 {
		s.purge(now)
	}
	live := now
	if delay > 0 {
		live = s.clock.deadline(delay, now)
	}
	s.oldestLive = live - 1
	if s.oldestLive <= now {
		s.oldestCAS = s.nextCAS()
	}
}

// purge drops all flushed items.
func (s *store) purge(now int64) {
	for _, it := range s.items {
		if s.flushed(it, now) {
			s.unlink(it)
		}
	}
}

// hit notes a fetch of it.
func (s *store) hit(it *item, now int64) {
	it.fetched = true
	it.accessed = now
	s.detach(it)
	s.pushNewest(it)
}

// link adds it under a new cas; the key must be free.
func (s *store) link(it *item, now int64) {
	it.cas = s.nextCAS()
	it.stored, it.accessed = now, now
	s.items[it.key] = it
	s.bytes += int64(it.size())
	s.pushNewest(it)
	s.n.totalItems++
	s.evict(it, now)
}

func (s *store) unlink(it *item) {
	delete(s.items, it.key)
	s.bytes -= int64(it.size())
	s.detach(it)
}

// evict drops the oldest items until the memory bound holds; it never drops keep.
func (s *store) evict(keep *item, now int64) {
	for s.bytes > s.maxBytes && s.lru.newer != keep {
		old := s.lru.newer
		if s.flushed(old, now) || old.expired(now) {
			s.n.reclaimed++
		} else {
			s.n.evictions++
		}
		s.unlink(old)
	}
}

func (s *store) pushNewest(it *item) {
	it.older, it.newer = s.lru.older, &s.lru
	it.older.newer, s.lru.older = it, it
}

func (s *store) detach(it *item) {
	it.older.newer, it.newer.older = it.newer, it.older
	it.older, it.newer = nil, nil
}
