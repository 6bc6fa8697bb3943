package ring

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// point is a Point as lookups want it: 32-bit hashes are moved to the high
// half, so that one index and one search serve every layout.
type point struct {
	hash  uint64
	owner uint32 // index in Ring.servers
}

// build makes the full ring of servers that are in normal form.
func build(sc scheme, servers []Server) (*Ring, error) {
	r := &Ring{scheme: sc, servers: servers, live: len(servers)}
	if sc.slots != nil {
		return r.buildSlots()
	}
	labels := sc.labels(servers)
	total := 0
	for _, n := range labels {
		total += n * sc.perLabel
	}
	if total > maxPoints {
		return nil, tooManyPoints(total)
	}
	points := make([]point, 0, total+1)
	for i, n := range labels {
		points = sc.appendPoints(points, servers[i].Name, uint32(i), n)
	}
	sortPoints(points)
	r.setPoints(sc.settle(points, servers))
	return r, nil
}

func tooManyPoints(n int) error {
	return fmt.Errorf("%w: the weights add up to %d points, at most %d", ErrBadWeight, n, maxPoints)
}

func sortPoints(points []point) {
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
}

// setPoints takes sorted points over, with room for one more, and indexes them.
func (r *Ring) setPoints(points []point) {
	if len(points) == 0 {
		r.points, r.index = nil, nil
		return
	}
	// The sentinel ends every search and stands for the wrap to the first point.
	r.points = append(points, point{hash: math.MaxUint64, owner: points[0].owner})
	r.index, r.shift = indexPoints(points)
}

// indexPoints cuts the circle into at least as many buckets of equal width as
// there are points and notes where each begins: hashes are spread evenly, so a
// lookup that starts there has about one step left to do.
func indexPoints(points []point) (index []uint32, shift uint8) {
	width := max(1, bits.Len(uint(len(points)-1)))
	shift = uint8(64 - width)
	index = make([]uint32, 1<<width)
	next := 0
	for i, p := range points {
		for last := int(p.hash >> shift); next <= last; next++ {
			index[next] = uint32(i)
		}
	}
	for ; next < len(index); next++ {
		index[next] = uint32(len(points))
	}
	return index, shift
}

// seek returns the first point at or after h, the sentinel if there is none.
func (r *Ring) seek(h uint64) int {
	i := int(r.index[h>>(r.shift&63)])
	for r.points[i].hash < h {
		i++
	}
	return i
}
