package mctest

import "bytes"

// storeMode is what a storage command does with an item that is, or is not,
// there already.
type storeMode uint8

const (
	modeSet storeMode = iota
	modeAdd
	modeReplace
	modeAppend
	modePrepend
	modeCAS
)

// outcome is what became of a change.
type outcome uint8

const (
	stored outcome = iota
	notStored
	exists
	notFound
	nonNumeric
)

// storage is one storage request: classic set and its kin, or ms.
type storage struct {
	mode       storeMode
	key, value []byte
	flags      uint32
	deadline   int64 // server second, 0 = never
	cas        uint64
	invalidate bool // ms I: accept an older cas, mark the item stale
	binary     bool // ms b
}

// put carries out r and returns the new cas, 0 if nothing was stored.
func (s *store) put(r *storage, now int64) (outcome, uint64) {
	old := s.find(r.key, now)
	if old == nil {
		return s.putMissing(r, now)
	}
	switch r.mode {
	case modeAdd:
		s.touchLRU(old)
		return notStored, 0
	case modeAppend, modePrepend:
		if r.cas != 0 && r.cas != old.cas {
			return exists, 0
		}
		return s.extend(old, r, now)
	case modeCAS:
		return s.compareAndSwap(old, r, now)
	}
	s.overwrite(old, r, now)
	return stored, old.cas
}

func (s *store) putMissing(r *storage, now int64) (outcome, uint64) {
	switch r.mode {
	case modeCAS:
		s.n.casMisses++
		return notFound, 0
	case modeReplace, modeAppend, modePrepend:
		return notStored, 0
	}
	it := &item{
		key: string(r.key), value: bytes.Clone(r.value),
		flags: r.flags, exptime: r.deadline, binary: r.binary,
	}
	s.link(it, now)
	return stored, it.cas
}

// compareAndSwap stores r if the cas fits. With the I flag an older cas is
// accepted as well: the value is replaced, but it stays stale, with its old
// exptime and its lease as they were.
func (s *store) compareAndSwap(old *item, r *storage, now int64) (outcome, uint64) {
	switch {
	case r.cas == old.cas && r.cas != 0:
		s.n.casHits++
		s.overwrite(old, r, now)
	case r.invalidate && r.cas != 0 && r.cas < old.cas:
		s.n.casHits++
		won := old.won
		r.deadline = old.exptime
		s.overwrite(old, r, now)
		old.stale, old.won = true, won
	default:
		s.n.casBadval++
		return exists, 0
	}
	return stored, old.cas
}

// overwrite makes it a new item with the contents of r. The buffer of the old
// value is used again: replies hold copies, never the buffer itself.
func (s *store) overwrite(it *item, r *storage, now int64) {
	s.renew(it, func() {
		it.value = append(it.value[:0], r.value...)
		if cap(it.value) > 2*len(it.value)+64 {
			it.value = bytes.Clone(it.value)
		}
		it.flags, it.exptime, it.binary = r.flags, r.deadline, r.binary
	}, now)
}

// extend appends or prepends to it. Flags and exptime stay; what does not fit in
// the item limit is not stored.
func (s *store) extend(it *item, r *storage, now int64) (outcome, uint64) {
	if it.size()+len(r.value) > s.maxItem {
		return notStored, 0
	}
	s.renew(it, func() {
		if r.mode == modeAppend {
			it.value = append(it.value, r.value...)
		} else {
			it.value = append(bytes.Clone(r.value), it.value...)
		}
		it.binary = false // memcached forgets it here
	}, now)
	return stored, it.cas
}

// renew turns it into a new item: change alters its contents, everything that
// memcached learned about the old one is forgotten.
func (s *store) renew(it *item, change func(), now int64) {
	s.bytes -= int64(it.size())
	change()
	s.bytes += int64(it.size())
	it.cas = s.nextCAS()
	it.stored, it.accessed = now, now
	it.fetched, it.stale, it.won = false, false, false
	s.n.totalItems++
	s.touchLRU(it)
	s.evict(it, now)
}

func (s *store) touchLRU(it *item) {
	s.detach(it)
	s.pushNewest(it)
}

// addDelta is incr and decr. renewed says that the number no longer fitted and
// the item was replaced, otherwise it was changed in place, with its length kept
// by spaces.
func (s *store) addDelta(key []byte, incr bool, delta, wantCAS uint64, now int64) (it *item, v uint64, renewed bool, o outcome) {
	it = s.find(key, now)
	if it == nil {
		return nil, 0, false, notFound
	}
	if len(it.value) == 0 || it.size() > s.maxItem/2 { // the latter lie in several chunks there
		return nil, 0, false, nonNumeric
	}
	if wantCAS != 0 && wantCAS != it.cas {
		return nil, 0, false, exists
	}
	v, ok := parseUint64(it.value)
	if !ok {
		return nil, 0, false, nonNumeric
	}
	switch {
	case incr:
		v += delta
		s.n.incrHits++
	default:
		v -= min(v, delta)
		s.n.decrHits++
	}
	return it, v, s.setNumber(it, v, now), stored
}

// setNumber writes v into it; renewed as in addDelta.
func (s *store) setNumber(it *item, v uint64, now int64) (renewed bool) {
	var buf [20]byte
	number := appendUint(buf[:0], v)
	if len(number) > len(it.value) {
		s.renew(it, func() {
			it.value = append(it.value[:0], number...)
			it.binary = false
		}, now)
		return true
	}
	n := copy(it.value, number)
	for i := n; i < len(it.value); i++ {
		it.value[i] = ' '
	}
	it.cas = s.nextCAS()
	return false
}
