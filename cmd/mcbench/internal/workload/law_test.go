package workload

import (
	"fmt"
	"math"
	"testing"
)

func counts(law KeyLaw, n, draws int) []int {
	c := make([]int, n)
	for i := range draws {
		r := NewRand(1, uint64(i))
		c[law.Pick(&r, uint64(i))]++
	}
	return c
}

// Zipf must be exact for every exponent, 1 and those above it included: chi-square of the
// observed ranks against 1/(k+1)^s.
func TestZipfFollowsItsLawForEveryExponent(t *testing.T) {
	const n, draws = 50, 200_000
	for _, s := range []float64{0.01, 0.3048, 0.99, 1, 1.0001, 1.5, 2.6774, 5} {
		sum := 0.0
		for k := range n {
			sum += math.Pow(float64(k+1), -s)
		}
		chi, cells := 0.0, 0
		tailWant, tailGot := 0.0, 0
		for k, got := range counts(newZipf(n, s), n, draws) {
			want := draws * math.Pow(float64(k+1), -s) / sum
			if want < 10 { // too few for the statistic: one cell together
				tailWant, tailGot = tailWant+want, tailGot+got
				continue
			}
			chi += (float64(got) - want) * (float64(got) - want) / want
			cells++
		}
		if tailWant > 0 {
			chi += (float64(tailGot) - tailWant) * (float64(tailGot) - tailWant) / max(tailWant, 1)
			cells++
		}
		if limit := float64(cells) + 4*math.Sqrt(2*float64(cells)); chi > limit {
			t.Errorf("s = %v: chi-square %.1f over %d cells, limit %.1f", s, chi, cells, limit)
		}
	}
}

func TestZipfOverOneKeyAndManyKeys(t *testing.T) {
	for _, n := range []int{1, 2, 20_000_000} {
		z := newZipf(n, 0.99)
		for i := range 10_000 {
			r := NewRand(3, uint64(i))
			if k := z.Pick(&r, 0); k < 0 || k >= n {
				t.Fatalf("key %d of %d", k, n)
			}
		}
	}
}

func TestKeyLawsHaveTheirShape(t *testing.T) {
	const n, draws = 1000, 100_000
	share := func(c []int, from, to int) float64 {
		sum := 0
		for _, v := range c[from:to] {
			sum += v
		}
		return float64(sum) / draws
	}
	for _, c := range []struct {
		law      string
		from, to int
		want     float64
	}{
		{"uniform", 0, 250, 0.25},
		{"seq", 0, 250, 0.25},
		{"hotspot:10%:90%", 0, 100, 0.9},
		{"hotspot:20%:50%", 0, 200, 0.5},
		{"gauss:10%", 400, 600, 0.6827}, // one standard deviation each side
		{"gauss", 300, 700, 0.9545},
	} {
		law, err := ParseKeyLaw(c.law, n)
		if err != nil {
			t.Fatal(err)
		}
		if got := share(counts(law, n, draws), c.from, c.to); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: share of keys %d..%d = %.3f, want %.3f", c.law, c.from, c.to, got, c.want)
		}
	}
}

func TestLatestReadsWhatWasWrittenLast(t *testing.T) {
	law, err := ParseKeyLaw("latest", 1000)
	if err != nil {
		t.Fatal(err)
	}
	l := law.(*latest)
	l.writes = 0.1
	const slot = 5_000 // 500 writes so far
	near := 0
	for i := range 10_000 {
		r := NewRand(uint64(i), slot)
		if k := l.Pick(&r, slot); k > 400 && k <= 500 {
			near++
		}
	}
	if near < 6000 {
		t.Errorf("%d of 10,000 reads went to the newest 100 keys", near)
	}
}

func TestWrongLawsAreRefused(t *testing.T) {
	for _, s := range []string{"", "zip", "zipf:0", "zipf:-1", "zipf:x", "zipf:nan", "uniform:3", "hotspot", "hotspot:10%", "hotspot:0%:9%", "gauss:-1", "seq:2"} {
		if _, err := ParseKeyLaw(s, 10); err == nil {
			t.Errorf("key law %q accepted", s)
		}
	}
	for _, s := range []string{"", "-1", "abc", "10-", "10-5", "64:3,x", "64:0", "normal:5", "exp:", "2G", "1.5"} {
		if _, err := ParseSizeLaw(s); err == nil {
			t.Errorf("size %q accepted", s)
		}
	}
	for _, s := range []string{"", "1", "a:b", "0:0", "-1:2"} {
		if _, err := ParseRatio(s); err == nil {
			t.Errorf("ratio %q accepted", s)
		}
	}
	for _, s := range []string{"", "get", "get=x", "fill=1", "get=0", "get=-1", "put=3"} {
		if _, err := ParseMix(s); err == nil {
			t.Errorf("mix %q accepted", s)
		}
	}
}

func TestSizeLawsHaveTheirMean(t *testing.T) {
	for _, c := range []struct {
		law        string
		mean, near float64
	}{
		{"100", 100, 0},
		{"1k", 1000, 0},
		{"10-1000", 505, 5},
		{"64:3,1024:1", 304, 5},
		{"normal:500,100", 500, 3},
		{"exp:300", 299.5, 5},
		{"fb", 0.44155*5.6 + 0.55845*(15+214.476/(1-0.348238)), 8}, // Pareto mean scale/(1-shape)
	} {
		law, err := ParseSizeLaw(c.law)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i := range 100_000 {
			r := NewRand(9, uint64(i))
			sum += float64(law.Size(&r))
		}
		if mean := sum / 100_000; math.Abs(mean-c.mean) > c.near {
			t.Errorf("%s: mean %.1f, want %.1f", c.law, mean, c.mean)
		}
	}
}

func TestFacebookKeysAverageAboutThirtySixBytes(t *testing.T) {
	sum := 0
	for i := range 100_000 {
		r := NewRand(9, uint64(i))
		sum += fbKey{}.Size(&r)
	}
	// Mean of the GEV law: location + scale*(gamma(1-k)-1)/k = 36.0; whole bytes cost half of one.
	if mean := float64(sum) / 100_000; math.Abs(mean-35.5) > 0.5 {
		t.Errorf("mean key size %.2f", mean)
	}
}

func TestMixDrawsItsShares(t *testing.T) {
	m, err := ParseMix("get=70,set=20,delete=5,cas=5")
	if err != nil {
		t.Fatal(err)
	}
	var got [NumOps]float64
	for i := range 100_000 {
		r := NewRand(2, uint64(i))
		got[m.pick(&r)] += 1e-5
	}
	for op, want := range m {
		if math.Abs(got[op]-want) > 0.005 {
			t.Errorf("%v: share %.3f, want %.3f", Op(op), got[op], want)
		}
	}
	if s := m.String(); s != "get=70,set=20,delete=5,cas=5" {
		t.Errorf("mix prints as %q", s)
	}
}

func TestPresetsAreValid(t *testing.T) {
	for _, p := range Presets() {
		total := 0.0
		for _, share := range p.Mix {
			total += share
		}
		_, err := New(Config{Keys: 1000, Law: p.Law, Mix: p.Mix, Size: p.Size, KeySize: p.KeySize, MGet: 1, TTL: p.TTL, HitRatio: p.HitRatio})
		if err != nil || math.Abs(total-1) > 1e-9 {
			t.Errorf("%s: shares sum to %v, error %v", p.Name, total, err)
		}
		if _, err := PresetNamed(p.Name); err != nil {
			t.Error(err)
		}
	}
	if _, err := PresetNamed("twitter99"); err == nil {
		t.Error("unknown preset accepted")
	}
}

func TestCountsWithSuffixes(t *testing.T) {
	for s, want := range map[string]int{"0": 0, "7": 7, "10k": 10_000, "1.5k": 1500, "1M": 1_000_000, "2G": 2_000_000_000} {
		if got, err := ParseCount(s); err != nil || got != want {
			t.Errorf("ParseCount(%q) = %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "k", "1.5", "ten", "1e99", "nan"} {
		if n, err := ParseCount(s); err == nil {
			t.Errorf("ParseCount(%q) = %d", s, n)
		}
	}
}

func ExampleMix_String() {
	m, _ := ParseRatio("1:9")
	fmt.Println(m)
	// Output: get=90,set=10
}
