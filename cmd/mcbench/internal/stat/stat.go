// Package stat holds the few statistics that mcbench needs: a bootstrap interval for ratios
// and the chi-square distance of counts from their shares.
package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is an estimate with its 95 % confidence interval.
type Interval struct{ Low, Estimate, High float64 }

// MinPairs is how many paired ratios an interval needs.
const MinPairs = 6

// ErrFewPairs reports that there are not enough ratios for an interval.
var ErrFewPairs = errors.New("too few pairs of slices for an interval")

const resamples = 4000

// Ratio returns the geometric mean of paired ratios with an interval by the percentile
// bootstrap on their logarithms. For few pairs that interval is too narrow; it is widened
// by sqrt(n/(n-1)) and by Student's quantile over the normal one, as Hesterberg advises
// (What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015).
// All ratios must be above 0. The seed makes the interval repeatable.
func Ratio(ratios []float64, seed uint64) (Interval, error) {
	n := len(ratios)
	if n < MinPairs {
		return Interval{}, ErrFewPairs
	}
	logs := make([]float64, n)
	mean := 0.0
	for i, r := range ratios {
		logs[i] = math.Log(r)
		mean += logs[i] / float64(n)
	}
	rng := rand.New(rand.NewPCG(seed, 0x7374_6174))
	means := make([]float64, resamples)
	for i := range means {
		sum := 0.0
		for range n {
			sum += logs[rng.IntN(n)]
		}
		means[i] = sum / float64(n)
	}
	slices.Sort(means)
	widen := math.Sqrt(float64(n)/float64(n-1)) * student(n-1) / normal975
	low := mean + widen*(means[resamples*25/1000]-mean)
	high := mean + widen*(means[resamples*975/1000]-mean)
	return Interval{math.Exp(low), math.Exp(mean), math.Exp(high)}, nil
}

// normal975 is the 97.5 % quantile of the normal law.
const normal975 = 1.959964

// student returns the 97.5 % quantile of Student's law by the Cornish-Fisher expansion,
// within 1 % from 4 degrees of freedom on.
func student(degrees int) float64 {
	z, v := normal975, float64(degrees)
	z3, z5, z7 := z*z*z, math.Pow(z, 5), math.Pow(z, 7)
	return z + (z3+z)/(4*v) + (5*z5+16*z3+3*z)/(96*v*v) + (3*z7+19*z5+17*z3-15*z)/(384*v*v*v)
}

// Contains tells whether x lies within the interval.
func (i Interval) Contains(x float64) bool { return i.Low <= x && x <= i.High }

// ChiSquare returns the distance of counts from what their shares let expect. Shares sum
// to 1. With that many keys the distance is about the number of counts less one if the
// shares are true.
func ChiSquare(counts []int64, shares []float64) float64 {
	var total int64
	for _, c := range counts {
		total += c
	}
	sum := 0.0
	for i, c := range counts {
		want := shares[i] * float64(total)
		if want == 0 {
			continue
		}
		sum += (float64(c) - want) * (float64(c) - want) / want
	}
	return sum
}
