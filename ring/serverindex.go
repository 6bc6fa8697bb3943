package ring

// Index returns the place of Pick's server in the list that the ring was built
// from, or -1 where Pick reports false. A view numbers the servers as the full
// ring does, so that a caller may keep what belongs to a server in a slice
// beside the ring. It does not allocate.
func (r *Ring) Index(key string) int {
	if len(r.points) != 0 {
		return int(r.points[r.seek(r.scheme.hashKey(key))].owner)
	}
	if i, ok := r.pickSlot(key); ok {
		return i
	}
	return -1
}
