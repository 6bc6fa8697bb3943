package workload

import (
	"math"
	"math/bits"
)

// Rand is a small generator that is made afresh for every request from (seed, number), so
// that request i draws the same key, operation and size in every run whichever worker
// takes it. The sequence is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
// Number Generators, 2014).
type Rand struct{ state uint64 }

// golden is the odd constant of SplitMix64: 2^64 divided by the golden ratio.
const golden = 0x9e3779b97f4a7c15

// NewRand returns the generator of request number slot.
func NewRand(seed, slot uint64) Rand {
	return Rand{state: mix64(seed*golden + mix64(slot+golden))}
}

// Uint64 returns 64 uniform bits.
func (r *Rand) Uint64() uint64 {
	r.state += golden
	return mix64(r.state)
}

// Float64 returns a uniform number in [0, 1).
func (r *Rand) Float64() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// IntN returns a uniform number in [0, n).
func (r *Rand) IntN(n int) int {
	hi, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(hi)
}

// Normal returns a draw of the normal law (Box and Muller).
func (r *Rand) Normal(mean, sd float64) float64 {
	u := 1 - r.Float64() // (0, 1], so that the logarithm is finite
	return mean + sd*math.Sqrt(-2*math.Log(u))*math.Cos(2*math.Pi*r.Float64())
}

func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
