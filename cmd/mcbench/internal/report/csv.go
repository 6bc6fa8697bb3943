package report

import (
	"encoding/csv"
	"io"
	"strconv"
)

// WriteCSV writes the series: one row per interval and client.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"client", "t", "sent", "ok", "err", "not_sent", "hits", "misses", "p50_ms", "p99_ms", "p999_ms", "max_ms"}); err != nil {
		return err
	}
	for _, one := range append([]*Report{r}, r.Others...) {
		for _, p := range one.Series {
			if err := c.Write(append([]string{one.Client}, p.fields()...)); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

func (p Point) fields() []string {
	var out []string
	decimal := func(f float64, digits int) { out = append(out, strconv.FormatFloat(f, 'f', digits, 64)) }
	decimal(p.T, 3)
	for _, n := range []int64{p.Sent, p.OK, p.Err, p.NotSent, p.Hits, p.Misses} {
		out = append(out, strconv.FormatInt(n, 10))
	}
	for _, ms := range []float64{p.P50, p.P99, p.P999, p.Max} {
		decimal(ms, 4)
	}
	return out
}
