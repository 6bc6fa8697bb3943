package ring

import (
	"cmp"
	"slices"
)

// tieRule orders points with equal hashes; the first of them is the one that
// counts while its server is there. Of 160,000 32-bit points some three pairs
// are equal, and without a rule two clients with the same servers would
// disagree about the keys just before them.
type tieRule uint8

const (
	tieName   tieRule = iota // the lowest name first
	tieFirst                 // the first in the list first
	tieLast                  // the last in the list first
	tieModulo                // by xmemcached's name, then turned so that the one at hash modulo count is first
)

// settle brings runs of equal hashes among sorted points into the rule's order.
// It works in place.
func (sc *scheme) settle(points []point, servers []Server) []point {
	kept := points[:0]
	for start := 0; start < len(points); {
		end := start + 1
		for end < len(points) && points[end].hash() == points[start].hash() {
			end++
		}
		run := points[start:end]
		if len(run) > 1 {
			run = sc.settleRun(run, servers)
		}
		kept = append(kept, run...)
		start = end
	}
	return kept
}

func (sc *scheme) settleRun(run []point, servers []Server) []point {
	slices.SortFunc(run, func(a, b point) int {
		switch sc.tie {
		case tieFirst:
			return cmp.Compare(a.owner, b.owner)
		case tieLast:
			return cmp.Compare(b.owner, a.owner)
		case tieModulo:
			return cmp.Compare(xmemcachedName(servers[a.owner].Name), xmemcachedName(servers[b.owner].Name))
		}
		return cmp.Compare(servers[a.owner].Name, servers[b.owner].Name)
	})
	if sc.tie == tieModulo {
		turn := int(sc.value(run[0].hash()) % uint64(len(run)))
		run = slices.Concat(run[turn:], run[:turn])
	}
	if sc.unique {
		run = run[:1]
	}
	return run
}
