package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
)

// Threshold is a condition on the result, such as p99<1ms, errors<0.1% or rate>9900.
type Threshold struct {
	Text   string
	metric string
	op     string
	value  float64 // milliseconds, percent or a plain number
}

// ThresholdResult is a threshold with what was measured.
type ThresholdResult struct {
	Text string  `json:"text"`
	Got  float64 `json:"got"`
	Pass bool    `json:"pass"`
}

const thresholdForms = "want METRIC<VALUE such as p99<1ms, max<50ms, service.p99<1ms, errors<0.1%, hits>95%, rate>9900, stale==0"

// ParseThreshold reads a condition. METRIC is pN, ok.pN, service.pN, max, errors, hits,
// rate, failed, stale or wrong.
func ParseThreshold(s string) (Threshold, error) {
	form := regexp.MustCompile(`^\s*([a-z.]+[0-9.]*)\s*(<=|>=|==|<|>)\s*([0-9.]+)\s*(ns|us|µs|ms|s|%|)\s*$`)
	m := form.FindStringSubmatch(s)
	if m == nil {
		return Threshold{}, fmt.Errorf("threshold %q: %s", s, thresholdForms)
	}
	t := Threshold{Text: strings.Join(strings.Fields(s), ""), metric: m[1], op: m[2]}
	v, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return Threshold{}, fmt.Errorf("threshold %q: %s", s, thresholdForms)
	}
	t.value = v
	want := t.unit()
	if want == "" {
		return Threshold{}, fmt.Errorf("threshold %q: unknown metric %q; %s", s, t.metric, thresholdForms)
	}
	switch unit := m[4]; {
	case want == "time" && unit != "" && unit != "%":
		d, err := time.ParseDuration(m[3] + unit)
		if err != nil {
			return Threshold{}, fmt.Errorf("threshold %q: %w", s, err)
		}
		t.value = Ms(d)
	case want == "time":
		return Threshold{}, fmt.Errorf("threshold %q: a latency needs a unit, such as %s%s%sms", s, t.metric, t.op, m[3])
	case want == "%" && unit == "%", want == "count" && unit == "":
	default:
		return Threshold{}, fmt.Errorf("threshold %q: the unit %q does not fit %s; %s", s, unit, t.metric, thresholdForms)
	}
	return t, nil
}

func (t Threshold) unit() string {
	if _, _, ok := t.percentile(); ok || t.metric == "max" {
		return "time"
	}
	switch t.metric {
	case "errors", "hits":
		return "%"
	case "rate", "failed", "stale", "wrong":
		return "count"
	}
	return ""
}

// percentile splits service.p99.9 into the histogram and the percent.
func (t Threshold) percentile() (which string, p float64, ok bool) {
	which, rest := "response", t.metric
	for _, w := range []string{"service", "ok", "lag"} {
		if r, found := strings.CutPrefix(t.metric, w+"."); found {
			which, rest = w, r
		}
	}
	digits, found := strings.CutPrefix(rest, "p")
	p, err := strconv.ParseFloat(digits, 64)
	return which, p, found && err == nil && p > 0 && p <= 100
}

// Check compares the threshold with a result. The percentile must be among those of the
// report; Percents tells which ones thresholds need.
func (t Threshold) Check(r *Report) ThresholdResult {
	got := t.measured(r)
	pass := false
	switch t.op {
	case "<":
		pass = got < t.value
	case "<=":
		pass = got <= t.value
	case ">":
		pass = got > t.value
	case ">=":
		pass = got >= t.value
	case "==":
		pass = got == t.value
	}
	return ThresholdResult{Text: t.Text, Got: got, Pass: pass}
}

func (t Threshold) measured(r *Report) float64 {
	if which, p, ok := t.percentile(); ok {
		return r.Percentiles[which][Percent(p)]
	}
	n := &r.Totals
	switch t.metric {
	case "max":
		return n.MaxMS
	case "errors":
		return percent(n.Failed, n.Sent+n.NotSent)
	case "hits":
		return percent(n.Hits, n.Hits+n.Misses)
	case "rate":
		return n.DonePS
	case "failed":
		return float64(n.Failed)
	case "stale":
		return float64(n.Stale)
	case "wrong":
		return float64(n.Wrong)
	}
	panic("bug: threshold on " + t.metric)
}

// Percents returns the percentiles that the thresholds look at.
func Percents(ts []Threshold) []float64 {
	var ps []float64
	for _, t := range ts {
		if _, p, ok := t.percentile(); ok {
			ps = append(ps, p)
		}
	}
	return ps
}

// Percent writes a percentile as it is used for a key: 99.9.
func Percent(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) }

func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// Fill sets the percentiles of a tally's histograms.
func (r *Report) Fill(t *measure.Tally, ps []float64) {
	r.Response = t.Response
	r.Percentiles = map[string]map[string]float64{"response": {}, "ok": {}, "service": {}, "lag": {}}
	ok := t.OKResponse()
	for _, p := range ps {
		key := Percent(p)
		r.Percentiles["response"][key] = Ms(measure.At(t.Response, p))
		r.Percentiles["ok"][key] = Ms(measure.At(ok, p))
		r.Percentiles["service"][key] = Ms(measure.At(t.Service, p))
		r.Percentiles["lag"][key] = Ms(measure.At(t.Lag, p))
	}
	r.Totals.MaxMS = Ms(measure.Max(t.Response))
	r.Percentiles["service"]["100"] = Ms(measure.Max(t.Service))
}
