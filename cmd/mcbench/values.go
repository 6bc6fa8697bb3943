package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// span is a duration on the command line.
type span time.Duration

// UnmarshalText reads a duration with its unit.
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		if _, number := strconv.ParseFloat(string(text), 64); number == nil {
			return fmt.Errorf("%s has no unit: did you mean %ss or %sms?", text, text, text)
		}
		return fmt.Errorf("%q is no duration, such as 500ms or 10s", text)
	}
	if d < 0 {
		return fmt.Errorf("%q is negative", text)
	}
	*s = span(d)
	return nil
}

// length is the duration of a run; its -d means a data size in some other tools.
type length time.Duration

// UnmarshalText reads a duration with its unit.
func (l *length) UnmarshalText(text []byte) error {
	if n, err := strconv.ParseFloat(string(text), 64); err == nil && n != 0 {
		return fmt.Errorf("did you mean --size %s or -d %ss?", text, text)
	}
	var s span
	if err := s.UnmarshalText(text); err != nil {
		return err
	}
	*l = length(s)
	return nil
}

// count is a whole number that may end in k, M or G.
type count int

// UnmarshalText reads 10k as 10,000.
func (c *count) UnmarshalText(text []byte) error {
	n, err := workload.ParseCount(string(text))
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no number, such as 1000, 10k or 1M", text)
	}
	*c = count(n)
	return nil
}

// rate is requests per second; 0 stands for a closed loop.
type rate float64

// UnmarshalText reads 2000, 10k or max.
func (r *rate) UnmarshalText(text []byte) error {
	s := strings.TrimSuffix(string(text), "/s")
	if s == "max" {
		*r = 0
		return nil
	}
	n, err := workload.ParseCount(s)
	if err != nil {
		f, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || f < 0 || f > 1e9 {
			return fmt.Errorf("%q is no rate per second, such as 2000, 10k or max", text)
		}
		*r = rate(f)
		return nil
	}
	if n < 0 {
		return fmt.Errorf("%q is no rate per second, such as 2000, 10k or max", text)
	}
	*r = rate(n)
	return nil
}

// percents is a list of percentiles.
type percents []float64

// UnmarshalText reads 50,90,99.9.
func (p *percents) UnmarshalText(text []byte) error {
	*p = nil
	for part := range strings.SplitSeq(string(text), ",") {
		v, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(part), "p"), 64)
		if err != nil || !(v > 0 && v <= 100) {
			return fmt.Errorf("%q is no percentile above 0 and up to 100", part)
		}
		*p = append(*p, v)
	}
	return nil
}
