package ring

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// point is a Point as lookups want it: 32-bit hashes are moved to the high
// half, so that one index and one search serve every layout. The hash is kept
// in halves because that makes a point 12 bytes long and not 16.
type point struct {
	low, high uint32
	owner     uint32 // index in Ring.servers
}

func newPoint(hash uint64, owner uint32) point {
	return point{low: uint32(hash), high: uint32(hash >> 32), owner: owner}
}

func (p *point) hash() uint64 {
	return uint64(p.high)<<32 | uint64(p.low)
}

// build makes the full ring of servers that are in normal form.
func build(sc scheme, servers []Server) (*Ring, error) {
	r := &Ring{scheme: sc, servers: servers, live: len(servers)}
	rule := sc.forWeights(servers)
	labels := rule.labels(servers)
	total := 0
	for _, n := range labels {
		total += n * rule.perLabel
	}
	if total > maxPoints {
		return nil, tooManyPoints(total)
	}
	if sc.modulo {
		r.slots = appendSlots(make([]uint32, 0, total), labels)
		return r, nil
	}
	points := make([]point, 0, total+1)
	for i, n := range labels {
		points = rule.appendPoints(points, servers[i].Name, uint32(i), n)
	}
	sortPoints(points)
	r.setPoints(rule.settle(points, servers))
	return r, nil
}

func tooManyPoints(n int) error {
	return fmt.Errorf("%w: the weights add up to %d points, at most %d", ErrBadWeight, n, maxPoints)
}

func sortPoints(points []point) {
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.hash(), b.hash()) })
}

// setPoints takes sorted points over, with room for one more, and indexes them.
func (r *Ring) setPoints(points []point) {
	r.index, r.shift = indexPoints(points)
	r.close(points)
}

// close puts the sentinel behind the points: it ends every search and stands
// for the wrap to the first point.
func (r *Ring) close(points []point) {
	r.points = nil
	if len(points) != 0 {
		r.points = append(points, newPoint(math.MaxUint64, points[0].owner))
	}
}

// strip returns r's points in two lists: those of servers that stay, with room
// for the sentinel, and those of servers in out.
func (r *Ring) strip(out []bool) (kept, lost []point) {
	kept = make([]point, len(r.points))
	n := 0
	for _, p := range r.points[:len(r.points)-1] {
		if out[p.owner] {
			lost = append(lost, p)
			continue
		}
		kept[n] = p
		n++
	}
	return kept[:n], lost
}
