package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// chart is one drawing with a line per series, made as SVG text that scales to the page.
type chart struct {
	title string
	yUnit string
	logY  bool
	xMin  float64
	xMax  float64
	ticks []tick // of the x axis
	lines []line
	bands []band
	zero  bool // the y axis of a linear chart begins at 0
}

type tick struct {
	x    float64
	text string
}

// line is a series; a NaN breaks it.
type line struct {
	name   string
	class  string // of the style sheet: c0, c1, ... and "dash"
	points []xy
}

type xy struct{ x, y float64 }

// band marks a stretch of time, such as an outage.
type band struct {
	from, to float64
	text     string
}

// The drawing's own units.
const (
	chartW, chartH         = 860.0, 300.0
	left, right, top, foot = 58.0, 26.0, 34.0, 34.0
)

// SVG draws the chart.
func (c *chart) SVG() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartW, chartH, template.HTMLEscapeString(c.title))
	low, high := c.yRange()
	c.drawBands(&b)
	c.drawGrid(&b, low, high)
	for _, l := range c.lines {
		c.drawLine(&b, l, low, high)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // our own text; names in it are escaped
}

func (c *chart) px(x float64) float64 {
	return left + (x-c.xMin)/(c.xMax-c.xMin)*(chartW-left-right)
}

func (c *chart) py(y, low, high float64) float64 {
	if c.logY {
		y, low, high = math.Log10(max(y, low)), math.Log10(low), math.Log10(high)
	}
	return chartH - foot - (y-low)/(high-low)*(chartH-top-foot)
}

// yRange returns whole decades on a logarithmic axis and round ends on a linear one.
func (c *chart) yRange() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range c.lines {
		for _, p := range l.points {
			if !math.IsNaN(p.y) && (!c.logY || p.y > 0) {
				low, high = min(low, p.y), max(high, p.y)
			}
		}
	}
	if math.IsInf(low, 1) {
		return 0.1, 1
	}
	if c.logY {
		low, high = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
		if low == high {
			high *= 10
		}
		return low, high
	}
	if c.zero {
		low = 0
	}
	step := niceStep(high - low)
	return math.Floor(low/step) * step, math.Ceil(high/step+1e-9) * step
}

// niceStep returns 1, 2 or 5 times a power of ten that cuts a range into about five.
func niceStep(span float64) float64 {
	if span <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(span/5)))
	for _, m := range []float64{1, 2, 5, 10} {
		if span/(m*unit) <= 6 {
			return m * unit
		}
	}
	return 10 * unit
}

func (c *chart) drawGrid(b *strings.Builder, low, high float64) {
	horizontal := func(y float64) {
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, chartW-right, c.py(y, low, high), c.py(y, low, high))
		fmt.Fprintf(b, `<text class="tick" text-anchor="end" x="%.1f" y="%.1f">%s</text>`, left-6, c.py(y, low, high)+4, axisNumber(y))
	}
	if c.logY {
		for y := low; y <= high*1.001; y *= 10 {
			horizontal(y)
		}
	} else {
		step := niceStep(high - low)
		for i := 0; low+float64(i)*step <= high+step/1000; i++ {
			horizontal(low + float64(i)*step)
		}
	}
	for _, t := range c.ticks {
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, c.px(t.x), c.px(t.x), top, chartH-foot)
		fmt.Fprintf(b, `<text class="tick" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, c.px(t.x), chartH-foot+17, t.text)
	}
	fmt.Fprintf(b, `<text class="tick" text-anchor="end" x="%.1f" y="%.1f">%s</text>`, left-6, top-12, c.yUnit)
}

func axisNumber(y float64) string {
	if y >= 1000 {
		return Group(int64(y + 0.5))
	}
	return strconv.FormatFloat(y, 'g', 3, 64)
}

func (c *chart) drawBands(b *strings.Builder) {
	for _, band := range c.bands {
		x0, x1 := c.px(max(band.from, c.xMin)), c.px(min(band.to, c.xMax))
		fmt.Fprintf(b, `<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x0, top, max(x1-x0, 1), chartH-top-foot)
		fmt.Fprintf(b, `<text class="bandtext" x="%.1f" y="%.1f">%s</text>`, x0+4, top+14, template.HTMLEscapeString(band.text))
	}
}

func (c *chart) drawLine(b *strings.Builder, l line, low, high float64) {
	var path strings.Builder
	pen := "M"
	for _, p := range l.points {
		if math.IsNaN(p.y) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, c.px(p.x), c.py(p.y, low, high))
		pen = "L"
	}
	fmt.Fprintf(b, `<path class="line %s" d="%s"><title>%s</title></path>`, l.class, path.String(), template.HTMLEscapeString(l.name))
}

// timeTicks labels a time axis in seconds.
func timeTicks(length float64) []tick {
	var out []tick
	step := niceStep(length * 0.6)
	for x := 0.0; x <= length+step/1000; x += step {
		out = append(out, tick{x, strconv.FormatFloat(x, 'g', 4, 64) + " s"})
	}
	return out
}
