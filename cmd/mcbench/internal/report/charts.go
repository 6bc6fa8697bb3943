package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
)

// all returns the reports of every client, this one first.
func (r *Report) all() []*Report { return append([]*Report{r}, r.Others...) }

// drawn is a chart as the page shows it.
type drawn struct {
	*chart
	Title  string
	Note   string
	Legend []legend
}

type legend struct{ Class, Name string }

func newDrawn(c *chart, note string) drawn {
	d := drawn{chart: c, Title: c.title, Note: note}
	for _, l := range c.lines {
		d.Legend = append(d.Legend, legend{l.class, l.name})
	}
	return d
}

func (r *Report) charts() []drawn {
	out := []drawn{
		newDrawn(r.latencyChart(), "Per interval, from the moment each request was due; logarithmic."),
		newDrawn(r.rateChart(), "Requests per second that succeeded, and that failed or were not sent."),
	}
	if c := r.percentileChart(); len(c.lines) > 0 {
		out = append(out, newDrawn(c, "Latency that this share of all requests did not exceed, failures included; both axes logarithmic."))
	}
	for i, one := range r.all() {
		title := "Answers by home server"
		if len(r.Others) > 0 {
			title += ", " + one.Client
		}
		if i == 0 || len(r.Others) > 0 {
			out = append(out, newDrawn(one.serverChart(title), "Requests that succeeded, by the server their key belongs to. While that one is out its stand-ins answer, if the client has any."))
		}
	}
	return out
}

func (r *Report) timeChart(title, unit string) *chart {
	c := &chart{title: title, yUnit: unit, xMax: 1}
	for _, one := range r.all() {
		if n := len(one.Series); n > 0 {
			c.xMax = max(c.xMax, one.Series[n-1].T)
		}
	}
	c.ticks = timeTicks(c.xMax)
	if f := r.Fault; f != nil {
		c.bands = []band{{f.At, f.Until, f.Kind + " of " + f.Server}}
	}
	return c
}

// over turns a series into a line; intervals for which value says false are gaps.
func over(series []Point, name, class string, value func(p Point, seconds float64) (float64, bool)) line {
	l := line{name: name, class: class}
	from := 0.0
	for _, p := range series {
		y, ok := value(p, max(p.T-from, 1e-3))
		if !ok {
			y = math.NaN()
		}
		l.points = append(l.points, xy{(from + p.T) / 2, y})
		from = p.T
	}
	return l
}

func (r *Report) latencyChart() *chart {
	c := r.timeChart("Latency over time", "ms")
	c.logY = true
	pick := func(of func(Point) float64) func(Point, float64) (float64, bool) {
		return func(p Point, _ float64) (float64, bool) { return of(p), p.OK+p.Err > 0 }
	}
	p50, p99 := func(p Point) float64 { return p.P50 }, func(p Point) float64 { return p.P99 }
	worst := func(p Point) float64 { return p.Max }
	if len(r.Others) == 0 {
		c.lines = []line{
			over(r.Series, "p50", "c0", pick(p50)),
			over(r.Series, "p99", "c1", pick(p99)),
			over(r.Series, "worst", "c2 dash", pick(worst)),
		}
		return c
	}
	for i, one := range r.all() {
		class := "c" + strconv.Itoa(i)
		c.lines = append(c.lines,
			over(one.Series, one.Client+" p99", class, pick(p99)),
			over(one.Series, one.Client+" p50", class+" dash", pick(p50)))
	}
	return c
}

func (r *Report) rateChart() *chart {
	c := r.timeChart("Throughput", "/s")
	c.zero = true
	for i, one := range r.all() {
		name := ""
		if len(r.Others) > 0 {
			name = one.Client + " "
		}
		class := "c" + strconv.Itoa(i)
		c.lines = append(c.lines, over(one.Series, name+"ok", class, func(p Point, s float64) (float64, bool) {
			return float64(p.OK) / s, true
		}))
		if one.Totals.Failed > 0 {
			c.lines = append(c.lines, over(one.Series, name+"failed", class+" dash", func(p Point, s float64) (float64, bool) {
				return float64(p.Err+p.NotSent) / s, true
			}))
		}
	}
	return c
}

func (r *Report) serverChart(title string) *chart {
	c := r.timeChart(title, "/s")
	c.zero = true
	for i, s := range r.Servers {
		c.lines = append(c.lines, over(r.Series, fmt.Sprintf("%s (weight %d)", s.Name, s.Weight), "c"+strconv.Itoa(i%classes),
			func(p Point, length float64) (float64, bool) {
				return float64(p.Servers[i]) / length, true
			}))
	}
	return c
}

// classes is how many line colours the style sheet has.
const classes = 6

// percentileChart has the number of nines for its x axis.
func (r *Report) percentileChart() *chart {
	c := &chart{title: "Latency by percentile", yUnit: "ms", logY: true, xMax: 4}
	c.ticks = []tick{{0, "0"}, {nines(50), "50"}, {1, "90"}, {nines(95), "95"}, {2, "99"}, {3, "99.9"}, {4, "99.99"}}
	for i, one := range r.all() {
		if one.Response == nil || one.Response.TotalCount() == 0 {
			continue
		}
		l := line{name: one.Client, class: "c" + strconv.Itoa(i)}
		for x := 0.0; x <= c.xMax+1e-9; x += 0.02 {
			p := 100 * (1 - math.Pow(10, -x))
			l.points = append(l.points, xy{x, max(Ms(measure.At(one.Response, p)), 1e-3)})
		}
		c.lines = append(c.lines, l)
	}
	return c
}

func nines(p float64) float64 { return -math.Log10(1 - p/100) }
