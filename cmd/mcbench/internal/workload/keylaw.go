package workload

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// KeyLaw chooses which key a request uses. It is safe for concurrent use.
type KeyLaw interface {
	// Pick returns a key number below the size of the key space for request number slot.
	Pick(r *Rand, slot uint64) int
	// String returns the law as it is written on the command line.
	String() string
}

// ParseKeyLaw reads a law over n keys: uniform, zipf:S (any S > 0), gauss[:SD%],
// hotspot:KEYS%:REQUESTS%, seq or latest[:S].
func ParseKeyLaw(s string, n int) (KeyLaw, error) {
	if n <= 0 {
		return nil, fmt.Errorf("%d keys: want at least 1", n)
	}
	name, args, _ := strings.Cut(s, ":")
	switch name {
	case "uniform":
		return uniformKeys{n}, noArgs(s, args)
	case "seq":
		return seqKeys{n}, noArgs(s, args)
	case "zipf":
		return parseZipf(s, args, n)
	case "latest":
		return parseLatest(s, args, n)
	case "gauss":
		return parseGauss(s, args, n)
	case "hotspot":
		return parseHotspot(s, args, n)
	}
	return nil, fmt.Errorf("key law %q: want uniform, zipf:0.99, gauss:10%%, hotspot:10%%:90%%, seq or latest", s)
}

func noArgs(s, args string) error {
	if args != "" {
		return fmt.Errorf("key law %q takes no parameter", s)
	}
	return nil
}

type uniformKeys struct{ n int }

func (u uniformKeys) Pick(r *Rand, _ uint64) int { return r.IntN(u.n) }
func (u uniformKeys) String() string             { return "uniform" }

type seqKeys struct{ n int }

func (s seqKeys) Pick(_ *Rand, slot uint64) int { return int(slot % uint64(s.n)) }
func (s seqKeys) String() string                { return "seq" }

// gaussKeys centres the popularity on the middle key, cut at the ends of the key space.
type gaussKeys struct {
	n    int
	sd   float64 // share of the key space
	text string
}

func parseGauss(s, args string, n int) (KeyLaw, error) {
	sd := 10.0
	if args != "" {
		var err error
		if sd, err = parsePercent(args); err != nil || sd <= 0 {
			return nil, fmt.Errorf("key law %q: want gauss:SD%%, such as gauss:10%%", s)
		}
	}
	return gaussKeys{n: n, sd: sd / 100, text: s}, nil
}

func (g gaussKeys) Pick(r *Rand, _ uint64) int {
	k := int(r.Normal(0.5, g.sd) * float64(g.n))
	return min(max(k, 0), g.n-1)
}

func (g gaussKeys) String() string { return g.text }

type hotspotKeys struct {
	n, hot int
	share  float64 // of the requests that go to the hot keys
	text   string
}

func parseHotspot(s, args string, n int) (KeyLaw, error) {
	keys, requests, ok := strings.Cut(args, ":")
	k, err1 := parsePercent(keys)
	q, err2 := parsePercent(requests)
	if !ok || err1 != nil || err2 != nil || k <= 0 || k > 100 || q < 0 || q > 100 {
		return nil, fmt.Errorf("key law %q: want hotspot:KEYS%%:REQUESTS%%, such as hotspot:10%%:90%%", s)
	}
	hot := min(max(int(math.Round(float64(n)*k/100)), 1), n)
	return hotspotKeys{n: n, hot: hot, share: q / 100, text: s}, nil
}

func (h hotspotKeys) Pick(r *Rand, _ uint64) int {
	if h.hot == h.n || r.Float64() < h.share {
		return r.IntN(h.hot)
	}
	return h.hot + r.IntN(h.n-h.hot)
}

func (h hotspotKeys) String() string { return h.text }

func parsePercent(s string) (float64, error) {
	return strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
}
