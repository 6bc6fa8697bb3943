package workload

import "sync/atomic"

// Ledger knows which versions of each stored key may still be read. Version numbers are
// given to writes in order; floor is the oldest version that is still right: the last one
// whose write was confirmed. A read notes the floor before it is sent; a value below that
// floor is stale. Writes of one key are made one at a time (Begin takes the key), so that
// two writes under way never leave the order to the server; a write whose fate is unknown
// (timeout) leaves the floor where it was, so that both outcomes are right.
type Ledger struct {
	keys []ledgerKey
}

type ledgerKey struct {
	floor  atomic.Uint32
	issued atomic.Uint32
	busy   atomic.Bool
}

// NewLedger returns the ledger of n stored keys, all at version 0.
func NewLedger(n int) *Ledger { return &Ledger{keys: make([]ledgerKey, n)} }

// Begin takes a key for a write, the wanted one or the next that has no write under way,
// and returns it with the write's version. ok is false when every key within reach is
// being written.
func (l *Ledger) Begin(want int) (key int, version uint32, ok bool) {
	const reach = 1024
	for i := range min(reach, len(l.keys)) {
		key = (want + i) % len(l.keys)
		k := &l.keys[key]
		if k.busy.CompareAndSwap(false, true) {
			return key, k.issued.Add(1), true
		}
	}
	return 0, 0, false
}

// End gives the key back. confirmed tells that the write (or delete) surely took place, so
// that nothing older may be read from now on.
func (l *Ledger) End(key int, version uint32, confirmed bool) {
	k := &l.keys[key]
	if confirmed {
		k.floor.Store(version)
	}
	k.busy.Store(false)
}

// Floor returns the oldest version of a key that may be read by a request sent now.
func (l *Ledger) Floor(key int) uint32 { return l.keys[key].floor.Load() }

// Judge tells whether a version read by a request that noted floor before it was sent is
// stale, or was never written at all.
func (l *Ledger) Judge(key int, version, floor uint32) (stale, impossible bool) {
	return version < floor, version > l.keys[key].issued.Load()
}
