package ring

import "math/bits"

// indexPoints cuts the circle into at least as many buckets of equal width as
// there are points and notes the first point at or above the start of each.
// Hashes are spread evenly, so a search that begins there has about one step
// left to do, however many points there are.
func indexPoints(points []point) (index []uint32, shift uint8) {
	shift = bucketShift(len(points))
	index = make([]uint32, 1<<(64-shift))
	// Backwards, so that each bucket keeps its first point; counted from one,
	// so that zero means an empty bucket. No branch here depends on a hash.
	for i := len(points) - 1; i >= 0; i-- {
		index[points[i].hash()>>shift] = uint32(i + 1)
	}
	next := uint32(len(points) + 1)
	for b := len(index) - 1; b >= 0; b-- {
		first := index[b]
		if first == 0 {
			first = next
		}
		next = first
		index[b] = first - 1
	}
	return index, shift
}

// bucketShift returns how far to shift a hash to get its bucket among at least
// two and at least n of them.
func bucketShift(n int) uint8 {
	return uint8(64 - max(1, bits.Len(uint(max(n, 1)-1))))
}

// reindex sets the index of points, which are those of old with the changed ones
// added (step 1) or taken out (step -1). As long as the buckets stay the same,
// only their starts move, each by the number of changed points before it.
func (r *Ring) reindex(old *Ring, points, changed []point, step int32) {
	r.shift = bucketShift(len(points))
	if r.shift != old.shift {
		r.index, r.shift = indexPoints(points)
		return
	}
	r.index = append([]uint32(nil), old.index...)
	bucket, delta := 0, uint32(0)
	for _, p := range changed {
		end := int(p.hash()>>r.shift) + 1
		shiftStarts(r.index[bucket:end], delta)
		bucket, delta = end, delta+uint32(step)
	}
	shiftStarts(r.index[bucket:], delta)
}

func shiftStarts(starts []uint32, delta uint32) {
	for i := range starts {
		starts[i] += delta
	}
}

// seek returns the first point at or after h, the sentinel if there is none.
func (r *Ring) seek(h uint64) int {
	i := int(r.index[h>>(r.shift&63)])
	for r.points[i].hash() < h {
		i++
	}
	return i
}
