package ring

// A modulo layout has no points: the key's hash modulo the number of slots is
// the key's slot. The clients it comes from have no stand-ins worth copying, so
// their order is ours: the other slots in list order, beginning at one that the
// quotient of the same division chooses. That way a lost server's keys spread
// over all the others, and nobody else's move.

// appendSlots gives each server as many neighbouring slots as labels says.
func appendSlots(slots []uint32, labels []int) []uint32 {
	for i, n := range labels {
		for range n {
			slots = append(slots, uint32(i))
		}
	}
	return slots
}

// slot returns which of n slots is the i-th choice for a key.
func slot(hash uint32, n, i int) int {
	home := int(hash % uint32(n))
	if i == 0 {
		return home
	}
	start := int(hash/uint32(n)) % (n - 1)
	return (home + 1 + (start+i-1)%(n-1)) % n
}

// pickSlot is Index for modulo layouts, and for rings without a point.
func (r *Ring) pickSlot(key string) int {
	if len(r.slots) == 0 || r.live == 0 {
		return -1
	}
	hash := r.scheme.hash32(key)
	for i := range r.slots {
		owner := int(r.slots[slot(hash, len(r.slots), i)])
		if !r.isOut(owner) {
			return owner
		}
	}
	return -1
}

// walkSlots is walk for modulo layouts.
func (r *Ring) walkSlots(key string, yield func(Server) bool) {
	if len(r.slots) == 0 || r.live == 0 {
		return
	}
	hash := r.scheme.hash32(key)
	var met owners
	for i := range r.slots {
		owner := r.slots[slot(hash, len(r.slots), i)]
		if r.isOut(int(owner)) || !met.add(owner, len(r.servers)) {
			continue
		}
		if !yield(r.servers[owner]) || met.n == r.live {
			return
		}
	}
}

// slotShares returns each server's share of the hashes: its own slots, and of
// every slot that is out the part that falls to it.
func (r *Ring) slotShares() []float64 {
	shares := make([]float64, len(r.servers))
	n := len(r.slots)
	if r.live == 0 {
		return shares
	}
	next := r.nextLive()
	falls := make([]float64, len(r.servers)) // how many slots would choose this server next
	out := 0
	for s, owner := range r.slots {
		falls[r.slots[next[s]]]++
		if r.isOut(int(owner)) {
			out++
		} else {
			shares[owner] += 1 / float64(n)
		}
	}
	for s, owner := range r.slots {
		if r.isOut(int(owner)) { // a lost slot is nobody's second choice, so its own place does not count
			shares[r.slots[next[s]]] -= 1 / float64(n) / float64(n-1)
		}
	}
	for owner, f := range falls {
		if out != 0 {
			shares[owner] += f * float64(out) / float64(n) / float64(n-1)
		}
	}
	return shares
}

// nextLive returns for each slot the first at or after it whose server is there.
func (r *Ring) nextLive() []int {
	n := len(r.slots)
	next := make([]int, n)
	found := 0
	for s := 2*n - 1; s >= 0; s-- { // twice around, for the slots after the last live one
		if !r.isOut(int(r.slots[s%n])) {
			found = s % n
		}
		next[s%n] = found
	}
	return next
}
