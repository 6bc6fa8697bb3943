package measure

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// At returns the latency that p percent of the histogram's requests did not exceed.
func At(h *hdrhistogram.Histogram, p float64) time.Duration {
	if h == nil || h.TotalCount() == 0 {
		return 0
	}
	return time.Duration(h.ValueAtPercentile(p))
}

// Max returns the highest latency, 0 if there is none.
func Max(h *hdrhistogram.Histogram) time.Duration {
	if h == nil || h.TotalCount() == 0 {
		return 0
	}
	return time.Duration(h.Max())
}
