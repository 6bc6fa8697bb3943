package ring

import "math"

// The rules below say how many labels each server gets. Those of the share*
// family spread 40 labels (Dalli: 160) per server over the whole fleet by
// weight, and differ in nothing but rounding: in an equal fleet of, say, 25 or
// 100 servers some of them give everybody 39 labels and not 40. Every step
// stands in a conversion of its own, because without it the compiler may fuse
// two of them on arm64 and round once where the original rounds twice.

// perServer gives every server n labels.
func perServer(n int) func([]Server) []int {
	return eachServer(func(int, int, int) int { return n })
}

// perWeight gives n labels per unit of weight, whoever else is there.
func perWeight(n int) func([]Server) []int {
	return eachServer(func(weight, _, _ int) int { return n * weight })
}

// shareFloat32 is the rule of libmemcached, twemproxy and weighted spymemcached.
func shareFloat32(servers []Server) []int {
	return eachServer(func(weight, total, n int) int {
		part := float32(float32(weight) / float32(total))
		labels := float32(part * 160)
		labels = float32(labels / 4)
		labels = float32(labels * float32(n))
		labels = float32(float64(labels) + 1e-10) // too small to matter
		return int(math.Floor(float64(labels)))
	})(servers)
}

// shareMixed is the rule of libketama: a float32 share, double arithmetic, and
// a float32 again before rounding down.
func shareMixed(servers []Server) []int {
	return eachServer(func(weight, total, n int) int {
		part := float32(float32(weight) / float32(total))
		labels := float64(float64(part) * 40)
		labels = float64(labels * float64(n))
		return int(math.Floor(float64(float32(labels))))
	})(servers)
}

// shareFloat64 is the rule of the clients for Node.js.
func shareFloat64(servers []Server) []int {
	return eachServer(func(weight, total, n int) int {
		labels := float64(float64(weight) / float64(total))
		labels = float64(labels * 40)
		labels = float64(labels * float64(n))
		return int(math.Floor(labels))
	})(servers)
}

// shareInteger is the rule of uhashring.
func shareInteger(servers []Server) []int {
	return eachServer(func(weight, total, n int) int { return 40 * n * weight / total })(servers)
}

// shareDalli is the rule of Dalli.
func shareDalli(servers []Server) []int {
	return eachServer(func(weight, total, n int) int {
		return int(math.Floor(float64(n*160*weight) / float64(total)))
	})(servers)
}

// eachServer applies a rule for one weight among n servers of total weight.
func eachServer(rule func(weight, total, n int) int) func([]Server) []int {
	return func(servers []Server) []int {
		total := 0
		for _, s := range servers {
			total += s.Weight
		}
		labels := make([]int, len(servers))
		for i, s := range servers {
			labels[i] = rule(s.Weight, total, len(servers))
		}
		return labels
	}
}
