package ring

import (
	"cmp"
	"slices"
)

// tieRule orders points of different servers that have the same hash. Of
// 160,000 32-bit points some three pairs are equal; without a rule two clients
// with the same servers would disagree about the keys before them.
type tieRule uint8

const (
	tieName tieRule = iota // the lowest name first
)

// settle brings runs of equal hashes into the layout's order.
func (sc *scheme) settle(points []point, servers []Server) []point {
	for start := 0; start < len(points); {
		end := start + 1
		for end < len(points) && points[end].hash == points[start].hash {
			end++
		}
		if end-start > 1 {
			sc.orderTie(points[start:end], servers)
		}
		start = end
	}
	return points
}

func (sc *scheme) orderTie(run []point, servers []Server) {
	slices.SortFunc(run, func(a, b point) int {
		return cmp.Compare(servers[a.owner].Name, servers[b.owner].Name)
	})
}
