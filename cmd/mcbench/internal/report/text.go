package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Style says how text is written: with colour or without.
type Style struct{ Color bool }

func (s Style) paint(code, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) bold(text string) string { return s.paint("1", text) }

// Good paints text green.
func (s Style) Good(text string) string { return s.paint("32", text) }

// Bad paints text red.
func (s Style) Bad(text string) string { return s.paint("31;1", text) }

func (s Style) verdict(ok bool, good, bad string) string {
	if ok {
		return s.Good(good)
	}
	return s.Bad(bad)
}

// Group writes 1234567 as 1,234,567.
func Group(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Millis writes milliseconds with three significant digits or so.
func Millis(ms float64) string {
	switch {
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return Group(int64(ms + 0.5))
}

// WriteText writes the summary, at most 80 columns wide.
func (r *Report) WriteText(w io.Writer, st Style) {
	r.writeHead(w, st)
	r.writeLatency(w, st)
	r.writeErrors(w, st)
	r.writeServers(w, st)
	r.writeChecks(w, st)
}

func (r *Report) writeHead(w io.Writer, st Style) {
	t := &r.Totals
	word := "Done"
	if r.Interrupted {
		word = "Interrupted"
	}
	offered := "closed loop"
	if r.Config.Loop == "open" {
		offered = Group(int64(t.OfferedPS+0.5)) + "/s offered"
	}
	fills := ""
	if n := r.Ops["fill"].Count; n > 0 {
		fills = " and " + Group(n) + " fills"
	}
	fmt.Fprintf(w, "%s: %s requests%s in %.1f s, %s\n", st.bold(word), Group(t.Offered), fills, t.ElapsedS,
		st.verdict(t.Failed == 0, "0 failed", fmt.Sprintf("%s failed (%s)", Group(t.Failed), share(t.Failed, t.Sent+t.NotSent))))
	fmt.Fprintf(w, "  %s, %s/s completed\n", offered, Group(int64(t.DonePS+0.5)))
	if t.NotSent > 0 {
		fmt.Fprintf(w, "  %s not sent: %s requests were under way already\n", Group(t.NotSent), Group(int64(r.Config.MaxInFlight)))
	}
	if t.Unfinished > 0 {
		fmt.Fprintf(w, "  %s never returned\n", Group(t.Unfinished))
	}
	if t.Stale+t.Wrong > 0 {
		fmt.Fprintf(w, "  %s\n", st.verdict(false, "", fmt.Sprintf("VERIFY FAILED: %s stale reads, %s wrong values", Group(t.Stale), Group(t.Wrong))))
	} else if r.Config.Verify {
		fmt.Fprintf(w, "  verified: %s values read, 0 stale, 0 wrong\n", Group(t.Hits))
	}
}

func share(part, whole int64) string {
	p := percent(part, whole)
	if p > 0 && p < 0.01 {
		return "<0.01 %"
	}
	return fmt.Sprintf("%.2f %%", p)
}

// percentColumns are the percentiles that fit beside a row's name and counts.
func (r *Report) percentColumns() []string {
	keys := SortedPercents(r.Percentiles["response"])
	if len(r.Shown) > 0 {
		keys = nil
		for _, p := range r.Shown {
			keys = append(keys, Percent(p))
		}
	}
	return slices.DeleteFunc(keys, func(k string) bool { return k == "100" })
}

// SortedPercents returns the percents of a table in their order as numbers.
func SortedPercents(table map[string]float64) []string {
	number := func(k string) float64 {
		v, _ := strconv.ParseFloat(k, 64) // our own keys
		return v
	}
	return slices.SortedFunc(maps.Keys(table), func(a, b string) int { return cmp.Compare(number(a), number(b)) })
}

func (r *Report) writeLatency(w io.Writer, st Style) {
	columns := r.percentColumns()
	fmt.Fprintf(w, "\n%-9s %10s %6s", "", "count", "hit %")
	for _, p := range columns {
		fmt.Fprintf(w, " %8s", "p"+p)
	}
	fmt.Fprintf(w, " %8s\n", "max  ms")
	for _, name := range sortedOps(r.Ops) {
		op := r.Ops[name]
		hit := "-"
		if name == "get" || name == "mget" {
			hit = fmt.Sprintf("%.1f", percent(op.Hits, op.Hits+op.Misses))
		}
		fmt.Fprintf(w, "%-9s %10s %6s", name, Group(op.Count), hit)
		writeRow(w, columns, op.MS, op.MaxMS)
	}
	if len(r.Ops) > 1 {
		fmt.Fprintf(w, "%-9s %10s %6s", st.bold("all")+"      ", Group(r.Totals.Sent), "")
		writeRow(w, columns, r.Percentiles["response"], r.Totals.MaxMS)
	}
	if r.Config.Loop == "open" {
		fmt.Fprintf(w, "%-27s", "service time")
		writeRow(w, columns, r.Percentiles["service"], r.Percentiles["service"]["100"])
		fmt.Fprintln(w, "rows count from the moment a request was due, service time from its real send")
	} else {
		fmt.Fprintln(w, "closed loop: a stalled server also stalls the load, so percentiles flatter it")
	}
}

func writeRow(w io.Writer, columns []string, ms map[string]float64, highest float64) {
	for _, p := range columns {
		fmt.Fprintf(w, " %8s", Millis(ms[p]))
	}
	fmt.Fprintf(w, " %8s\n", Millis(highest))
}

func sortedOps(ops map[string]Op) []string {
	order := []string{"get", "mget", "set", "add", "cas", "delete", "incr", "touch", "fill"}
	var names []string
	for _, name := range order {
		if _, ok := ops[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

func (r *Report) writeErrors(w io.Writer, st Style) {
	if len(r.Errors) == 0 {
		return
	}
	classes := slices.SortedFunc(maps.Keys(r.Errors), func(a, b string) int {
		if r.Errors[a] != r.Errors[b] {
			return int(r.Errors[b] - r.Errors[a])
		}
		return strings.Compare(a, b)
	})
	fmt.Fprintln(w, "\nerrors")
	for _, c := range classes {
		fmt.Fprintf(w, "  %10s  %s\n", Group(r.Errors[c]), st.paint("31", c))
	}
}

func (r *Report) writeServers(w io.Writer, st Style) {
	fmt.Fprintf(w, "\n%-22s %3s %7s %6s %7s %10s %9s %s\n", "server", "w", "share %", "ring %", "ideal %", "requests", "errors", "at end")
	var all int64
	for _, s := range r.Servers {
		all += s.Requests
	}
	for _, s := range r.Servers {
		state := st.verdict(s.State == "up", s.State, s.State)
		fmt.Fprintf(w, "%-22s %3d %7.1f %6.1f %7.1f %10s %9s %s\n", clip(s.Name, 22), s.Weight,
			percent(s.Requests, all), 100*s.Ring, 100*s.Ideal, Group(s.Requests), Group(s.Failed), state)
	}
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "..." + s[len(s)-n+3:]
}

func (r *Report) writeChecks(w io.Writer, st Style) {
	fmt.Fprintln(w)
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		c := r.Checks[name]
		lines := wrap(c.Text, 60)
		fmt.Fprintf(w, "%-12s %-60s %s\n", name, lines[0], st.verdict(c.OK, "[ok]", "[!!]"))
		for _, l := range lines[1:] {
			fmt.Fprintf(w, "%-12s %s\n", "", l)
		}
	}
	if r.Env.LocalLoad {
		fmt.Fprintf(w, "%-12s servers run on this machine; all share its %d cores\n", "note", r.Env.CPUs)
	}
	for _, t := range r.Thresholds {
		fmt.Fprintf(w, "%-12s %-30s %12s  %s\n", "threshold", t.Text, Millis(t.Got), st.verdict(t.Pass, "pass", "FAIL"))
	}
}

// wrap breaks text into lines of at most width bytes, at spaces.
func wrap(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
