package pace

import (
	"math"
	"slices"
	"testing"
	"time"
)

func drain(t *testing.T, s Schedule) []time.Duration {
	t.Helper()
	var all []time.Duration
	for due, ok := s.Next(); ok; due, ok = s.Next() {
		all = append(all, due)
		if len(all) > 1_000_000 {
			t.Fatal("the plan does not end")
		}
	}
	return all
}

func TestUniformPlanIsExact(t *testing.T) {
	s, err := New(Uniform, 2000, 20_000, 1)
	if err != nil {
		t.Fatal(err)
	}
	due := drain(t, s)
	if len(due) != 20_000 || due[0] != 0 || due[2000] != time.Second || due[19_999] != 9999500*time.Microsecond {
		t.Fatalf("%d due times, [0]=%v [2000]=%v [last]=%v", len(due), due[0], due[2000], due[len(due)-1])
	}
}

func TestPoissonPlanHoldsExactlyTheOfferedCount(t *testing.T) {
	for seed := range uint64(20) {
		s, err := New(Poisson, 2000, 20_000, seed)
		if err != nil {
			t.Fatal(err)
		}
		due := drain(t, s)
		if len(due) != 20_000 {
			t.Fatalf("seed %d: %d due times", seed, len(due))
		}
		if !slices.IsSorted(due) || due[0] < 0 || due[len(due)-1] >= 10*time.Second {
			t.Fatalf("seed %d: due times out of order or out of the run: first %v last %v", seed, due[0], due[len(due)-1])
		}
	}
}

// The gaps must be exponential: Kolmogorov-Smirnov at the 1 % level, for several seeds.
// The same statistic must reject the uniform plan, else the test proves nothing.
func TestPoissonGapsAreExponential(t *testing.T) {
	const n = 20_000
	critical := 1.63 / math.Sqrt(n)
	rejected := 0
	for seed := range uint64(20) {
		s, err := New(Poisson, 2000, n, seed)
		if err != nil {
			t.Fatal(err)
		}
		if ksExponential(drain(t, s), 2000) > critical {
			rejected++
		}
	}
	if rejected > 2 {
		t.Errorf("%d of 20 seeded plans fail the KS test at 1 %%", rejected)
	}
	s, err := New(Uniform, 2000, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := ksExponential(drain(t, s), 2000); d < 10*critical {
		t.Errorf("the uniform plan passes as Poisson: D = %v", d)
	}
}

func ksExponential(due []time.Duration, rate float64) float64 {
	gaps := make([]float64, 0, len(due)-1)
	for i := 1; i < len(due); i++ {
		gaps = append(gaps, (due[i] - due[i-1]).Seconds())
	}
	slices.Sort(gaps)
	worst, n := 0.0, float64(len(gaps))
	for i, g := range gaps {
		f := 1 - math.Exp(-rate*g)
		worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(float64(i+1)/n-f))
	}
	return worst
}

func TestSameSeedSamePlan(t *testing.T) {
	plan := func(seed uint64) []time.Duration {
		s, err := New(Poisson, 500, 1000, seed)
		if err != nil {
			t.Fatal(err)
		}
		return drain(t, s)
	}
	if !slices.Equal(plan(7), plan(7)) {
		t.Error("seed 7 gave two different plans")
	}
	if slices.Equal(plan(7), plan(8)) {
		t.Error("seeds 7 and 8 gave the same plan")
	}
}

func TestBadPlansAreRefused(t *testing.T) {
	for _, c := range []struct {
		a     Arrival
		rate  float64
		count int
	}{
		{Uniform, 0, 1},
		{Uniform, -1, 1},
		{Poisson, math.NaN(), 1},
		{Poisson, 1, 0},
		{"pareto", 1, 1},
	} {
		if _, err := New(c.a, c.rate, c.count, 1); err == nil {
			t.Errorf("New(%q, %v, %d) accepted", c.a, c.rate, c.count)
		}
	}
}
