package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteFailover writes what an outage did to each client, at most 80 columns wide.
func (r *Report) WriteFailover(w io.Writer, st Style) {
	all := append([]*Report{r}, r.Others...)
	f := r.Fault
	fmt.Fprintf(w, "%s: %s of %s from %.1f s to %.1f s under %s/s per client\n\n",
		st.bold("Outage"), f.Kind, f.Server, f.At, f.Until, Group(int64(r.Totals.OfferedPS+0.5)))
	fmt.Fprintf(w, "%-24s", "")
	for _, one := range all {
		fmt.Fprintf(w, " %17s", one.Client)
	}
	fmt.Fprintln(w)
	for _, row := range failoverRows() {
		fmt.Fprintf(w, "%-24s", row.name)
		for _, one := range all {
			text, good := row.value(one)
			fmt.Fprintf(w, " %s", st.verdictPadded(good, text, 17))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "\nlatency in ms from the moment each request was due; after: the fault or the heal")
	for _, one := range all {
		fmt.Fprintf(w, "\n%s\n", st.bold(one.Client))
		one.writeStrip(w, st)
		one.writeEvents(w)
		one.writeErrors(w, st)
	}
	r.writeChecks(w, st)
}

// verdictPadded pads before it paints, since escape sequences take no columns.
func (s Style) verdictPadded(v grade, text string, width int) string {
	text = fmt.Sprintf("%*s", width, text)
	switch v {
	case good:
		return s.Good(text)
	case bad:
		return s.Bad(text)
	}
	return text
}

type grade int

const (
	neutral grade = iota
	good
	bad
)

type failoverRow struct {
	name  string
	value func(*Report) (string, grade)
}

func failoverRows() []failoverRow {
	latency := func(p string) func(*Report) (string, grade) {
		return func(r *Report) (string, grade) { return Millis(r.Percentiles["response"][p]), neutral }
	}
	return []failoverRow{
		{"requests", func(r *Report) (string, grade) { return Group(r.Totals.Offered), neutral }},
		{"failed", func(r *Report) (string, grade) {
			if r.Totals.Failed == 0 {
				return "0", good
			}
			return fmt.Sprintf("%s (%s)", Group(r.Totals.Failed), share(r.Totals.Failed, r.Totals.Sent+r.Totals.NotSent)), bad
		}},
		{"stale or wrong reads", func(r *Report) (string, grade) {
			n := r.Totals.Stale + r.Totals.Wrong
			if n == 0 {
				return "0", good
			}
			return Group(n), bad
		}},
		{"misses", func(r *Report) (string, grade) { return Group(r.Totals.Misses), neutral }},
		{"p50", latency("50")},
		{"p99", latency("99")},
		{"p99.9", latency("99.9")},
		{"worst", func(r *Report) (string, grade) { return Millis(r.Totals.MaxMS), neutral }},
		{"detected after", func(r *Report) (string, grade) { return since(r.Fault.Detect, r.Fault.At), neutral }},
		{"ejected after", func(r *Report) (string, grade) { return since(r.Fault.Eject, r.Fault.At), neutral }},
		{"last failure after", func(r *Report) (string, grade) { return since(r.Fault.LastFail, r.Fault.At), neutral }},
		{"back after the heal", func(r *Report) (string, grade) { return since(r.Fault.Back, r.Fault.Until), neutral }},
	}
}

func since(t *float64, from float64) string {
	if t == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f s", *t-from)
}

// stripWidth is the number of cells of the timeline.
const stripWidth = 64

// writeStrip draws a line of the whole run: which parts had failures or slow requests.
func (r *Report) writeStrip(w io.Writer, st Style) {
	if len(r.Series) == 0 {
		return
	}
	length := r.Series[len(r.Series)-1].T
	failed, worst := make([]int64, stripWidth), make([]float64, stripWidth)
	from := 0.0
	for _, p := range r.Series {
		first := min(int(from/length*stripWidth+0.5), stripWidth-1)
		last := max(min(int(p.T/length*stripWidth+0.5)-1, stripWidth-1), first)
		for i := first; i <= last; i++ { // every cell that the interval covers
			failed[i] += p.Err + p.NotSent
			worst[i] = max(worst[i], p.Max)
		}
		from = p.T
	}
	var b strings.Builder
	for i := range stripWidth {
		switch {
		case failed[i] > 0:
			b.WriteString(st.Bad("x"))
		case worst[i] > slowMS:
			b.WriteString("o")
		default:
			b.WriteString(st.Good("."))
		}
	}
	fmt.Fprintf(w, "  |%s|\n", b.String())
	fmt.Fprintf(w, "  |%s|  %.0f s\n", faultMarks(r.Fault, length), length)
}

// slowMS is the latency from which an interval is drawn as slow.
const slowMS = 20

func faultMarks(f *Fault, length float64) string {
	marks := []byte(strings.Repeat(" ", stripWidth))
	from := min(int(f.At/length*stripWidth), stripWidth-1)
	to := min(int(f.Until/length*stripWidth), stripWidth-1)
	for i := from; i <= to; i++ {
		marks[i] = '='
	}
	return string(marks)
}

const shownEvents = 12

func (r *Report) writeEvents(w io.Writer) {
	events := r.Events
	if len(events) > shownEvents {
		fmt.Fprintf(w, "  (%d of %d events)\n", shownEvents, len(events))
		events = events[:shownEvents]
	}
	for _, e := range events {
		fmt.Fprintf(w, "  %7.2f s  %s\n", e.T, clip(strings.TrimSpace(e.Server+" "+e.What), 66))
	}
}
