package bench

import (
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
)

// hdrLog writes interval histograms in HdrHistogram's log format, version 1.3 with V2
// histograms, values in nanoseconds.
type hdrLog struct {
	w     *hdrhistogram.HistogramLogWriter
	start time.Time
	last  time.Time
	err   error
}

func newHDRLog(w io.Writer, start time.Time) (*hdrLog, error) {
	h := &hdrLog{w: hdrhistogram.NewHistogramLogWriter(w), start: start, last: start}
	h.w.SetBaseTime(start.UnixMilli())
	for _, step := range []func() error{
		func() error {
			return h.w.OutputComment("[mcbench: response time from the moment each request was due]")
		},
		h.w.OutputLogFormatVersion,
		func() error { return h.w.OutputBaseTime(start.UnixMilli()) },
		func() error { return h.w.OutputStartTime(start.UnixMilli()) },
		h.w.OutputLegend,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *hdrLog) write(interval *hdrhistogram.Histogram, now time.Time) {
	if h.err != nil {
		return
	}
	if interval == nil { // nothing happened: an empty histogram says so
		interval = measure.NewHistogram()
	}
	interval.SetStartTimeMs(h.last.UnixMilli())
	interval.SetEndTimeMs(now.UnixMilli())
	h.last = now
	h.err = h.w.OutputIntervalHistogram(interval)
}
