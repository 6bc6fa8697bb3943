package workload

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// SizeLaw gives the length of a key or a value in bytes. It is safe for concurrent use.
type SizeLaw interface {
	// Size draws a length.
	Size(r *Rand) int
	// String returns the law as it is written on the command line.
	String() string
}

// MaxValueSize is the longest value that is ever drawn: memcached's default item limit of
// 1 MiB less room for the header and the longest key.
const MaxValueSize = 1<<20 - 512

// ParseSizeLaw reads a value size law: N, LOW-HIGH, SIZE:WEIGHT,..., normal:MEAN,SD,
// exp:MEAN or fb.
func ParseSizeLaw(s string) (SizeLaw, error) {
	law, err := parseSizeLaw(s)
	if err != nil {
		return nil, fmt.Errorf("size %q: %w; want 100, 10-1000, 64:3,1024:1, normal:500,100, exp:300 or fb", s, err)
	}
	return law, nil
}

func parseSizeLaw(s string) (SizeLaw, error) {
	switch {
	case s == "fb":
		return fbValue{}, nil
	case strings.HasPrefix(s, "normal:"):
		v, err := numbers(s[len("normal:"):], 2)
		if err != nil {
			return nil, err
		}
		return normalSize{mean: v[0], sd: v[1], text: s}, nil
	case strings.HasPrefix(s, "exp:"):
		v, err := numbers(s[len("exp:"):], 1)
		if err != nil {
			return nil, err
		}
		return expSize{mean: v[0], text: s}, nil
	case strings.Contains(s, ":"):
		return parseSizeList(s)
	case strings.Contains(s, "-"):
		return parseSizeRange(s)
	}
	n, err := parseSize(s)
	return fixedSize(n), err
}

func parseSize(s string) (int, error) {
	n, err := ParseCount(s)
	if err != nil || n < 0 || n > MaxValueSize {
		return 0, fmt.Errorf("%q is no length from 0 to %d", s, MaxValueSize)
	}
	return n, nil
}

// ParseCount reads a whole number with an optional suffix k, M or G (powers of 1,000).
func ParseCount(s string) (int, error) {
	digits, unit := s, 1.0
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			digits, unit = s[:len(s)-1], 1e3
		case 'm', 'M':
			digits, unit = s[:len(s)-1], 1e6
		case 'g', 'G':
			digits, unit = s[:len(s)-1], 1e9
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || f*unit != math.Trunc(f*unit) || math.Abs(f*unit) > 1<<53 {
		return 0, fmt.Errorf("%q is no whole number (k, M and G are understood)", s)
	}
	return int(f * unit), nil
}

func numbers(s string, n int) ([]float64, error) {
	parts := strings.Split(s, ",")
	if len(parts) != n {
		return nil, fmt.Errorf("%d numbers instead of %d", len(parts), n)
	}
	out := make([]float64, n)
	for i, p := range parts {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || !(v >= 0) || v > MaxValueSize {
			return nil, fmt.Errorf("%q is no length", p)
		}
		out[i] = v
	}
	return out, nil
}

type fixedSize int

func (f fixedSize) Size(*Rand) int { return int(f) }
func (f fixedSize) String() string { return strconv.Itoa(int(f)) }

type rangeSize struct{ low, high int }

func parseSizeRange(s string) (SizeLaw, error) {
	a, b, _ := strings.Cut(s, "-")
	low, err := parseSize(a)
	if err != nil {
		return nil, err
	}
	high, err := parseSize(b)
	if err != nil {
		return nil, err
	}
	if high < low {
		return nil, fmt.Errorf("the range ends below its start")
	}
	return rangeSize{low, high}, nil
}

func (l rangeSize) Size(r *Rand) int { return l.low + r.IntN(l.high-l.low+1) }
func (l rangeSize) String() string   { return fmt.Sprintf("%d-%d", l.low, l.high) }

type listSize struct {
	sizes []int
	upTo  []float64 // cumulative share
	text  string
}

func parseSizeList(s string) (SizeLaw, error) {
	l := listSize{text: s}
	total := 0.0
	for part := range strings.SplitSeq(s, ",") {
		size, weight, ok := strings.Cut(part, ":")
		n, err := parseSize(size)
		w, werr := strconv.ParseFloat(weight, 64)
		if !ok || err != nil || werr != nil || !(w > 0) {
			return nil, fmt.Errorf("%q is not SIZE:WEIGHT", part)
		}
		total += w
		l.sizes, l.upTo = append(l.sizes, n), append(l.upTo, total)
	}
	for i := range l.upTo {
		l.upTo[i] /= total
	}
	return l, nil
}

func (l listSize) Size(r *Rand) int {
	u := r.Float64()
	for i, p := range l.upTo {
		if u < p {
			return l.sizes[i]
		}
	}
	return l.sizes[len(l.sizes)-1]
}

func (l listSize) String() string { return l.text }

type normalSize struct {
	mean, sd float64
	text     string
}

func (l normalSize) Size(r *Rand) int { return clampSize(r.Normal(l.mean, l.sd)) }
func (l normalSize) String() string   { return l.text }

type expSize struct {
	mean float64
	text string
}

func (l expSize) Size(r *Rand) int { return clampSize(-l.mean * math.Log(1-r.Float64())) }
func (l expSize) String() string   { return l.text }

func clampSize(f float64) int { return int(min(max(f, 1), MaxValueSize)) }
