package view

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// Live redraws a few lines in place.
type Live struct {
	w     io.Writer
	width func() int
	style report.Style
	lines int // on the screen, to be drawn over
	began time.Time
}

// NewLive returns a view for a terminal; width tells its columns at any time.
func NewLive(w io.Writer, width func() int, color bool) *Live {
	return &Live{w: w, width: width, style: report.Style{Color: color}}
}

// Note prints a line above the live ones.
func (v *Live) Note(line string) {
	v.clear()
	fmt.Fprintln(v.w, line)
}

// Progress shows how far a stage is, with the time left.
func (v *Live) Progress(stage string, done, total int) {
	if v.began.IsZero() || done == 0 {
		v.began = time.Now()
	}
	left := ""
	if spent := time.Since(v.began); done > 0 && spent > time.Second {
		rest := time.Duration(float64(spent) * float64(total-done) / float64(done))
		left = fmt.Sprintf(", %s left", rest.Round(time.Second))
	}
	share := float64(done) / float64(max(total, 1))
	v.draw([]string{fmt.Sprintf("%s %s %s of %s%s", stage, bar(share, 20), report.Group(int64(done)), report.Group(int64(total)), left)})
}

// Tick redraws the run.
func (v *Live) Tick(s bench.Status) {
	lines := []string{head(s)}
	for _, l := range s.Lanes {
		lines = append(lines, v.lane(s, l)...)
	}
	if !s.Warming {
		lines = append(lines, v.servers(s)...)
		lines = append(lines, recentEvents(s)...)
	}
	v.draw(lines)
}

// Done takes the live lines away: the summary tells the same and more.
func (v *Live) Done() { v.clear() }

func (v *Live) clear() {
	if v.lines > 0 {
		fmt.Fprintf(v.w, "\x1b[%dA\x1b[J", v.lines)
		v.lines = 0
	}
}

func (v *Live) draw(lines []string) {
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.lines)
	}
	width := v.width()
	for _, l := range lines {
		b.WriteString(cut(l, width-1))
		b.WriteString("\x1b[K\n")
	}
	if v.lines > len(lines) {
		b.WriteString("\x1b[J")
	}
	v.lines = len(lines)
	io.WriteString(v.w, b.String()) // a terminal that is gone ends the process by SIGPIPE or SIGHUP
}

func head(s bench.Status) string {
	loop := "closed loop"
	if s.Config.Loop == "open" {
		loop = "open loop " + report.Group(int64(s.Config.Rate+0.5)) + " req/s"
	}
	stage := ""
	if s.Warming {
		stage = "warm-up  "
	}
	length := ""
	if s.Length > 0 {
		length = fmt.Sprintf(" / %.0fs", s.Length.Seconds())
	}
	return fmt.Sprintf("mcbench  %s  %d servers   %s%.1fs%s", loop, len(s.Servers), stage, s.Elapsed.Seconds(), length)
}

func (v *Live) lane(s bench.Status, l bench.LaneStatus) []string {
	if len(l.Series) == 0 {
		return nil
	}
	points := l.Series
	if per := perSecond(s); len(points) > per {
		points = points[len(points)-per:]
	}
	name := ""
	if len(s.Lanes) > 1 {
		name = fmt.Sprintf("%-18s", l.Client)
	}
	failed := v.style.Good("0")
	if l.Total.Failed > 0 {
		failed = v.style.Bad(report.Group(l.Total.Failed))
	}
	return []string{
		" " + name + lineOf(l, points, false),
		fmt.Sprintf(" %s%s  worst per interval   failed so far %s", name, spark(l.Series, 40), failed),
	}
}

// perSecond is how many points make the last second, as far as the series shows.
func perSecond(s bench.Status) int {
	l := s.Lanes[0].Series
	if len(l) < 2 {
		return 1
	}
	gap := l[len(l)-1].T - l[len(l)-2].T
	return max(int(1/max(gap, 0.01)+0.5), 1)
}

func (v *Live) servers(s bench.Status) []string {
	var out []string
	l := s.Lanes[0]
	if len(l.Series) < 1 {
		return nil
	}
	per := perSecond(s)
	from := max(len(l.Series)-per, 0)
	for i, server := range s.Servers {
		var n int64
		for _, p := range l.Series[from:] {
			n += p.Servers[i]
		}
		start := 0.0
		if from > 0 {
			start = l.Series[from-1].T
		}
		rate := float64(n) / max(l.Series[len(l.Series)-1].T-start, 0.001)
		out = append(out, fmt.Sprintf(" %-22s w%-3d %s %8s/s  %s", server.Name, server.Weight, v.state(l.States[i]),
			report.Group(int64(rate+0.5)), bar(rate/max(s.Config.Rate, rate, 1), 20)))
	}
	return out
}

func (v *Live) state(s string) string {
	text := fmt.Sprintf("%-10s", s)
	if s == "up" {
		return v.style.Good(text)
	}
	return v.style.Bad(text)
}

const shownEvents = 5

func recentEvents(s bench.Status) []string {
	var out []string
	for _, e := range s.Lanes[0].Events {
		out = append(out, fmt.Sprintf(" %6.2fs  %s %s", e.T, e.Server, e.What))
	}
	if len(out) > shownEvents {
		out = out[len(out)-shownEvents:]
	}
	return out
}

// spark draws the worst latency of the last n intervals on a logarithmic scale from 0.1 ms
// to 1 s.
func spark(series []report.Point, n int) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	if len(series) > n {
		series = series[len(series)-n:]
	}
	var b strings.Builder
	for _, p := range series {
		level := (math.Log10(max(p.Max, 0.1)) + 1) / 4 * float64(len(levels)-1)
		b.WriteRune(levels[min(max(int(level+0.5), 0), len(levels)-1)])
	}
	return b.String()
}

func bar(share float64, width int) string {
	n := min(max(int(share*float64(width)+0.5), 0), width)
	return strings.Repeat("■", n) + strings.Repeat("·", width-n)
}

// cut shortens a line to width columns; escape sequences take none.
func cut(line string, width int) string {
	var b strings.Builder
	columns, escape := 0, false
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if columns++; columns > width {
				return b.String() + "\x1b[0m"
			}
		}
		b.WriteString(line[i : i+n])
		i += n
	}
	return b.String()
}
