package ring

import "iter"

// Walk returns the servers that serve key in failover order: first the one
// that Pick returns, then, each time, the one that Pick would return if those
// before it were taken out with Without. Each server appears once. Ranging over
// the result does not allocate for the first eight servers.
func (r *Ring) Walk(key string) iter.Seq[Server] {
	// Small enough to be inlined, so that the closure stays on the stack.
	return func(yield func(Server) bool) { r.walk(key, yield) }
}

func (r *Ring) walk(key string, yield func(Server) bool) {
	if len(r.points) == 0 {
		r.walkSlots(key, yield)
		return
	}
	points := r.points[:len(r.points)-1]
	next := r.seek(r.scheme.hashKey(key))
	var met owners
	for range points {
		if next == len(points) {
			next = 0
		}
		owner := points[next].owner
		next++
		if met.add(owner, len(r.servers)) && (!yield(r.servers[owner]) || met.n == r.live) {
			return
		}
	}
}

// owners is the set of servers that a walk has met. The first few are kept in
// place: nobody walks far unless much is down.
type owners struct {
	few  [8]uint32
	n    int
	bits []uint64 // all of them, once there are more than fit in few
}

// add reports whether owner was not in the set yet; total is the number of
// servers there are.
func (o *owners) add(owner uint32, total int) bool {
	if o.bits == nil {
		for _, known := range o.few[:o.n] {
			if known == owner {
				return false
			}
		}
		if o.n < len(o.few) {
			o.few[o.n] = owner
			o.n++
			return true
		}
		o.bits = make([]uint64, (total+63)/64)
		for _, known := range o.few {
			o.bits[known/64] |= 1 << (known % 64)
		}
	}
	if o.bits[owner/64]>>(owner%64)&1 != 0 {
		return false
	}
	o.bits[owner/64] |= 1 << (owner % 64)
	o.n++
	return true
}
