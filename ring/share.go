package ring

// Share returns the part of the key space that the named server serves, between
// 0 and 1; 0 for a server that is unknown or out. It takes keys as evenly
// spread over the layout's hash. The first call costs one pass over the points.
func (r *Ring) Share(name string) float64 {
	i := r.find(name)
	if i < 0 || r.isOut(i) {
		return 0
	}
	r.sharesOnce.Do(func() { r.shares = r.measureShares() })
	return r.shares[i]
}

// measureShares adds up the stretch before each point, which is the point's.
func (r *Ring) measureShares() []float64 {
	if r.slots != nil {
		return r.slotShares()
	}
	shares := make([]float64, len(r.servers))
	if len(r.points) == 0 {
		return shares
	}
	points := r.points[:len(r.points)-1]
	previous := points[len(points)-1].hash()
	if len(points) == 1 {
		shares[points[0].owner] = 1
		return shares
	}
	for _, p := range points {
		shares[p.owner] += float64(p.hash()-previous) / (1 << 64) // wraps at the first
		previous = p.hash()
	}
	return shares
}
