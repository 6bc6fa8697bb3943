package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/stat"
)

// Comparison is what two clients did in alternating slices. Ratios are the first client's
// figure over the second's.
type Comparison struct {
	Clients [2]string     `json:"clients"`
	Slices  int           `json:"slices"` // of each client
	Slice   float64       `json:"slice_s"`
	Loop    string        `json:"loop"`
	Rows    []RatioRow    `json:"ratios"`
	Config  report.Config `json:"config"`
	Env     report.Env    `json:"env"`
	Failed  [2]int64      `json:"failed"`
	Total   [2]int64      `json:"requests"`
}

// RatioRow is one figure of both clients. The medians are for orientation: the ratio comes
// from pairs of neighbouring slices.
type RatioRow struct {
	Name   string        `json:"name"`
	Unit   string        `json:"unit"`
	Median [2]float64    `json:"median"`
	Ratio  stat.Interval `json:"ratio"`
}

// slice is what one client did in one slice.
type slice struct {
	perSecond, p50, p99, cpu float64
}

// Compare runs two clients in alternating slices, A B B A and so on, so that noise that
// lasts longer than a slice meets both.
func Compare(ctx context.Context, cfg Config, length time.Duration) (*Comparison, error) {
	defer cfg.View.Done()
	quads := int(cfg.Duration / (4 * length))
	if 2*quads < stat.MinPairs {
		return nil, fmt.Errorf("%w: -d must be at least %v for slices of %v", stat.ErrFewPairs, stat.MinPairs*2*length, length)
	}
	b, err := newBench(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer b.close()
	c := &Comparison{
		Clients: [2]string{cfg.Clients[0], cfg.Clients[1]}, Slice: length.Seconds(),
		Loop: b.conf.Loop, Config: b.conf, Env: Environment(),
	}
	c.Env.LocalLoad = cfg.Fleet.Local()
	rows, err := c.slices(ctx, b, quads, length)
	if err != nil {
		return nil, err
	}
	return c, c.evaluate(rows, cfg.Workload.Seed)
}

// slices runs the quads ABBA and returns each client's slices in order.
func (c *Comparison) slices(ctx context.Context, b *bench, quads int, length time.Duration) ([2][]slice, error) {
	var rows [2][]slice
	var slot [2]uint64
	for q := range quads {
		for _, who := range [4]int{0, 1, 1, 0} {
			s, err := c.slice(ctx, b.lanes[who], who, &slot[who], length)
			if err != nil {
				return rows, err
			}
			rows[who] = append(rows[who], s)
			c.Slices = len(rows[0])
		}
		b.cfg.View.Progress("slices", 4*(q+1), 4*quads)
	}
	return rows, nil
}

func (c *Comparison) slice(ctx context.Context, l *lane, who int, slot *uint64, length time.Duration) (slice, error) {
	l.rec = l.newRecorder()
	before := useNow()
	if err := l.offer(ctx, load.Config{FirstSlot: *slot}, length, l.cfg.Workload.Seed+*slot); err != nil {
		return slice{}, err
	}
	if ctx.Err() != nil {
		return slice{}, ctx.Err()
	}
	cpu := useNow().cpu - before.cpu
	*slot += l.outcome.Slots
	t := l.rec.Total()
	sum := t.Sum()
	ok := sum.Count - sum.Failed
	c.Failed[who] += sum.Failed + t.NotSent
	c.Total[who] += sum.Count + t.NotSent
	if ok == 0 {
		return slice{}, fmt.Errorf("%s: not one request of a slice succeeded", l.name)
	}
	return slice{
		perSecond: float64(ok) / l.outcome.Elapsed.Seconds(),
		p50:       report.Ms(measure.At(t.Response, 50)), p99: report.Ms(measure.At(t.Response, 99)),
		cpu: float64(cpu.Nanoseconds()) / float64(ok) / 1e3,
	}, nil
}

// tiny stands for a figure of 0, which has no ratio.
const tiny = 1e-6

// evaluate turns slices into ratios, one per pair: in A B B A the first A and B are
// neighbours, and so are the second ones.
func (c *Comparison) evaluate(rows [2][]slice, seed uint64) error {
	for _, f := range []struct {
		name, unit string
		of         func(slice) float64
	}{
		{"throughput", "/s", func(s slice) float64 { return s.perSecond }},
		{"p50", "ms", func(s slice) float64 { return s.p50 }},
		{"p99", "ms", func(s slice) float64 { return s.p99 }},
		{"CPU", "us/req", func(s slice) float64 { return s.cpu }},
	} {
		if f.name == "throughput" && c.Loop == "open" {
			continue // it is what was offered
		}
		var ratios []float64
		for i := range rows[0] {
			ratios = append(ratios, max(f.of(rows[0][i]), tiny)/max(f.of(rows[1][i]), tiny))
		}
		iv, err := stat.Ratio(ratios, seed)
		if err != nil {
			return err
		}
		row := RatioRow{Name: f.name, Unit: f.unit, Ratio: iv}
		for who := range rows {
			row.Median[who] = medianOf(rows[who], f.of)
		}
		c.Rows = append(c.Rows, row)
	}
	return nil
}

func medianOf(rows []slice, of func(slice) float64) float64 {
	v := make([]float64, len(rows))
	for i, s := range rows {
		v[i] = of(s)
	}
	slices.Sort(v)
	return v[len(v)/2]
}
