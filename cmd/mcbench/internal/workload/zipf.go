package workload

import (
	"fmt"
	"math"
	"strconv"
)

// zipf draws rank k of n with probability proportional to 1/(k+1)^s for any s > 0, s = 1
// included, by rejection-inversion: Hörmann and Derflinger, Rejection-inversion to
// generate variates from monotone discrete distributions, ACM TOMACS 6 (1996). It takes
// no table, so that a hundred million keys cost nothing.
type zipf struct {
	n         int
	s         float64
	hx1, hn   float64 // the ends of the inverted range
	threshold float64 // accepted without a second look
}

// maxZipf keeps x^(1-s) within range of float64 for every key space we allow.
const maxZipf = 20

func parseZipf(text, arg string, n int) (*zipf, error) {
	s := 0.99 // YCSB's constant
	if arg != "" {
		var err error
		if s, err = strconv.ParseFloat(arg, 64); err != nil || !(s > 0 && s <= maxZipf) {
			return nil, fmt.Errorf("key law %q: want zipf:S with 0 < S <= %d, such as zipf:0.99", text, maxZipf)
		}
	}
	return newZipf(n, s), nil
}

func newZipf(n int, s float64) *zipf {
	z := &zipf{n: n, s: s}
	z.hx1 = z.integral(1.5) - 1
	z.hn = z.integral(float64(n) + 0.5)
	z.threshold = 2 - z.inverse(z.integral(2.5)-z.density(2))
	return z
}

func (z *zipf) Pick(r *Rand, _ uint64) int {
	for {
		u := z.hn + r.Float64()*(z.hx1-z.hn)
		x := z.inverse(u)
		k := math.Round(x)
		k = min(max(k, 1), float64(z.n))
		if k-x <= z.threshold || u >= z.integral(k+0.5)-z.density(k) {
			return int(k) - 1
		}
	}
}

func (z *zipf) String() string { return "zipf:" + strconv.FormatFloat(z.s, 'g', -1, 64) }

func (z *zipf) density(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// integral is the antiderivative of the density that is smooth at s = 1.
func (z *zipf) integral(x float64) float64 {
	l := math.Log(x)
	return expm1Over((1-z.s)*l) * l
}

func (z *zipf) inverse(y float64) float64 {
	t := y * (1 - z.s)
	t = max(t, -1) // rounding may step below the end of the range
	return math.Exp(log1pOver(t) * y)
}

// expm1Over is (exp(x)-1)/x, continued to 1 at 0.
func expm1Over(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Expm1(x) / x
	}
	return 1 + x/2
}

// log1pOver is log(1+x)/x, continued to 1 at 0.
func log1pOver(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Log1p(x) / x
	}
	return 1 - x/2
}

// latest makes recently written keys popular: every write takes the next key in turn, and
// reads fall back from the newest one by a Zipf law. Which key is newest is computed from
// the request's number, so that two runs of one seed are alike.
type latest struct {
	back   *zipf
	writes float64 // share of the requests that write; set by newMix
}

func parseLatest(text, arg string, n int) (KeyLaw, error) {
	z, err := parseZipf(text, arg, n)
	if err != nil {
		return nil, err
	}
	return &latest{back: z}, nil
}

// Newest returns the key that request number slot writes.
func (l *latest) Newest(slot uint64) int {
	return int(uint64(float64(slot)*l.writes) % uint64(l.back.n))
}

func (l *latest) Pick(r *Rand, slot uint64) int {
	k := l.Newest(slot) - l.back.Pick(r, slot)
	if k < 0 {
		k += l.back.n
	}
	return k
}

func (l *latest) String() string {
	return "latest:" + strconv.FormatFloat(l.back.s, 'g', -1, 64)
}
