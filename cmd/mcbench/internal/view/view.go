// Package view shows a run while it goes on: redrawn in place on a terminal, a line per
// second elsewhere, or not at all.
package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// Silent shows nothing but notes.
type Silent struct{ W io.Writer }

// Note prints a line.
func (s Silent) Note(line string) { fmt.Fprintln(s.W, line) }

// Progress shows nothing.
func (Silent) Progress(string, int, int) {}

// Tick shows nothing.
func (Silent) Tick(bench.Status) {}

// Done does nothing.
func (Silent) Done() {}

// Plain prints one line per second and one per event, for files and pipes.
type Plain struct {
	w      io.Writer
	next   time.Duration
	shown  []int // points of each lane's series that are printed
	events map[string]int
	loaded time.Time
}

// NewPlain returns a Plain view that writes to w.
func NewPlain(w io.Writer) *Plain { return &Plain{w: w, events: map[string]int{}} }

// Note prints a line.
func (p *Plain) Note(line string) { fmt.Fprintln(p.w, line) }

// Progress prints how far a stage is, every few seconds.
func (p *Plain) Progress(stage string, done, total int) {
	now := time.Now()
	if p.loaded.IsZero() || done == 0 {
		p.loaded = now
	}
	if now.Sub(p.loaded) > 2*time.Second {
		p.loaded = now
		fmt.Fprintf(p.w, "%s: %s of %s\n", stage, report.Group(int64(done)), report.Group(int64(total)))
	}
}

// Tick prints what is new since the last line.
func (p *Plain) Tick(s bench.Status) {
	if s.Warming {
		return
	}
	p.printEvents(s)
	if s.Elapsed < p.next && s.Elapsed < s.Length {
		return
	}
	p.next = s.Elapsed.Truncate(time.Second) + time.Second
	if p.shown == nil {
		p.shown = make([]int, len(s.Lanes))
	}
	var parts []string
	for i, l := range s.Lanes {
		if p.shown[i] == len(l.Series) {
			return
		}
		parts = append(parts, lineOf(l, l.Series[p.shown[i]:], len(s.Lanes) > 1))
		p.shown[i] = len(l.Series)
	}
	fmt.Fprintf(p.w, "%6.1fs  %s\n", s.Elapsed.Seconds(), strings.Join(parts, "  |  "))
}

func (p *Plain) printEvents(s bench.Status) {
	for _, l := range s.Lanes {
		for _, e := range l.Events[p.events[l.Client]:] {
			fmt.Fprintf(p.w, "%6.2fs  %s: %s %s\n", e.T, l.Client, e.Server, e.What)
		}
		p.events[l.Client] = len(l.Events)
	}
}

// Done does nothing: what was printed stays.
func (p *Plain) Done() {}

// lineOf sums some points up. Percentiles are those of a single interval: over several
// only the worst latency can be told.
func lineOf(l bench.LaneStatus, points []report.Point, named bool) string {
	var sum report.Point
	first := 0.0
	if n := len(l.Series) - len(points); n > 0 {
		first = l.Series[n-1].T
	}
	for _, p := range points {
		sum.OK += p.OK
		sum.Err += p.Err + p.NotSent
		sum.Hits += p.Hits
		sum.Misses += p.Misses
		sum.Max = max(sum.Max, p.Max)
	}
	length := max(points[len(points)-1].T-first, 0.001)
	out := fmt.Sprintf("%s/s ok  %s failed", report.Group(int64(float64(sum.OK)/length+0.5)), report.Group(sum.Err))
	if named {
		return fmt.Sprintf("%s %s  worst %s ms", l.Client, out, report.Millis(sum.Max))
	}
	if sum.Hits+sum.Misses > 0 {
		out += fmt.Sprintf("  hit %.1f %%", 100*float64(sum.Hits)/float64(sum.Hits+sum.Misses))
	}
	if len(points) == 1 {
		out += fmt.Sprintf("  p50 %s  p99 %s", report.Millis(points[0].P50), report.Millis(points[0].P99))
	}
	return out + fmt.Sprintf("  worst %s ms", report.Millis(sum.Max))
}
