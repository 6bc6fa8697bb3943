package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// The interval must hold the truth about 95 times in 100, for few pairs as for many, and
// must not be so wide that it always does.
func TestRatioIntervalHoldsTheTruth(t *testing.T) {
	for _, pairs := range []int{6, 10, 20} {
		held, width := 0, 0.0
		const runs = 200
		for run := range runs {
			rng := rand.New(rand.NewPCG(uint64(run), uint64(pairs)))
			ratios := make([]float64, pairs)
			for i := range ratios {
				ratios[i] = 1.5 * math.Exp(0.1*rng.NormFloat64())
			}
			iv, err := Ratio(ratios, uint64(run))
			if err != nil {
				t.Fatal(err)
			}
			if iv.Contains(1.5) {
				held++
			}
			width += math.Log(iv.High / iv.Low)
		}
		exact := 2 * 1.96 * 0.1 / math.Sqrt(float64(pairs))
		if share := float64(held) / runs; share < 0.90 || share > 0.995 {
			t.Errorf("%d pairs: the truth lay inside in %.1f %% of the runs", pairs, 100*share)
		}
		if w := width / runs; w > 1.5*exact {
			t.Errorf("%d pairs: mean width %.3f, the normal law gives %.3f", pairs, w, exact)
		}
	}
}

func TestRatioNeedsPairs(t *testing.T) {
	if _, err := Ratio([]float64{1, 2, 3}, 1); !errors.Is(err, ErrFewPairs) {
		t.Errorf("error %v", err)
	}
	if iv, err := Ratio([]float64{2, 2, 2, 2, 2, 2}, 1); err != nil || math.Abs(iv.High-2) > 1e-9 || math.Abs(iv.Low-2) > 1e-9 {
		t.Errorf("equal ratios: %v, %v", iv, err)
	}
}

func TestStudentQuantile(t *testing.T) {
	for degrees, want := range map[int]float64{5: 2.571, 9: 2.262, 19: 2.093, 100: 1.984} {
		if got := student(degrees); math.Abs(got-want) > 0.01*want {
			t.Errorf("%d degrees: %.3f, want %.3f", degrees, got, want)
		}
	}
}

func TestChiSquare(t *testing.T) {
	if got := ChiSquare([]int64{50, 30, 20}, []float64{0.5, 0.3, 0.2}); got != 0 {
		t.Errorf("true shares: %v", got)
	}
	if got := ChiSquare([]int64{60, 40}, []float64{0.5, 0.5}); math.Abs(got-4) > 1e-12 {
		t.Errorf("60:40 against halves: %v, want 4", got)
	}
}
