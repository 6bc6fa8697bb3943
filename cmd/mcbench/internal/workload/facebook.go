package workload

import "math"

// The laws of Facebook's ETC pool: Atikoglu, Xu, Frachtenberg, Jiang, Paleczny, Workload
// Analysis of a Large-Scale Key-Value Store, SIGMETRICS 2012, section 5. Key sizes follow
// a generalised extreme value law, value sizes a table below 15 bytes and a generalised
// Pareto law above.
const (
	fbKeyLocation = 30.7984
	fbKeyScale    = 8.20449
	fbKeyShape    = 0.078688

	fbValueScale = 214.476
	fbValueShape = 0.348238
)

// fbSmall returns the share of the values of each length below 15 bytes.
func fbSmall() [15]float64 {
	return [15]float64{
		0.00536, 0.00047, 0.17820, 0.09239, 0.00018, 0.02740, 0.00065, 0.00606,
		0.00023, 0.00837, 0.00837, 0.08989, 0.00092, 0.00326, 0.01980,
	}
}

type fbValue struct{}

func (fbValue) Size(r *Rand) int {
	u, small := r.Float64(), fbSmall()
	for n, p := range small {
		if u < p {
			return n
		}
		u -= p
	}
	tail := fbValueScale * (math.Pow(1-r.Float64(), -fbValueShape) - 1) / fbValueShape
	return clampSize(float64(len(small)) + tail)
}

func (fbValue) String() string { return "fb" }

type fbKey struct{}

func (fbKey) Size(r *Rand) int {
	u := 1 - r.Float64() // (0, 1]
	n := fbKeyLocation + fbKeyScale*(math.Pow(-math.Log(u), -fbKeyShape)-1)/fbKeyShape
	if math.IsInf(n, 1) || n > MaxKeySize {
		return MaxKeySize
	}
	return max(int(n), 1)
}

func (fbKey) String() string { return "fb" }
