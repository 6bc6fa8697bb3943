package bench

import (
	"fmt"
	"strings"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// crossCheck compares our counts with the growth of the servers' own counters. It holds
// exactly when nobody else uses the servers and nothing failed.
func crossCheck(r *report.Report, before, after []map[string]int64) report.Check {
	sums := map[string]int64{}
	for i := range r.Servers {
		if before[i] == nil || after[i] == nil {
			return report.Check{Text: r.Servers[i].Name + " did not tell its counters"}
		}
		delta := func(name string) int64 { return after[i][name] - before[i][name] }
		if delta("total_connections") < 0 || delta("uptime") < 0 {
			return report.Check{Text: r.Servers[i].Name + " was restarted during the run"}
		}
		counted := int64(0)
		for _, name := range []string{"cmd_get", "cmd_set", "delete_hits", "delete_misses", "incr_hits", "incr_misses", "cmd_touch", "get_hits", "get_misses"} {
			sums[name] += delta(name)
			if !strings.HasPrefix(name, "get_") {
				counted += delta(name)
			}
		}
		r.Servers[i].Counted = &counted
	}
	return compareCounts(r, sums)
}

func compareCounts(r *report.Report, sums map[string]int64) report.Check {
	ops := r.Ops
	reads := ops["get"].Count + ops["mget"].Hits + ops["mget"].Misses + ops["cas"].Count + ops["touch"].Count
	rows := []struct {
		name         string
		ours, theirs int64
	}{
		{readName(ops), reads, sums["cmd_get"] + sums["cmd_touch"]},
		{"hits", ops["get"].Hits + ops["mget"].Hits + ops["cas"].Count - ops["cas"].Misses, sums["get_hits"]},
		{"set", ops["set"].Count + ops["add"].Count + ops["fill"].Count + ops["cas"].Count - ops["cas"].Misses, sums["cmd_set"]},
		{"delete", ops["delete"].Count, sums["delete_hits"] + sums["delete_misses"]},
		{"incr", ops["incr"].Count, sums["incr_hits"] + sums["incr_misses"]},
	}
	var equal, different []string
	for _, row := range rows {
		switch {
		case row.ours != row.theirs:
			different = append(different, fmt.Sprintf("%s %s, ours %s", report.Group(row.theirs), row.name, report.Group(row.ours)))
		case row.ours > 0:
			equal = append(equal, report.Group(row.ours)+" "+row.name)
		}
	}
	if len(different) == 0 {
		return report.Check{OK: true, Text: "servers counted " + strings.Join(equal, " / ") + ": equal to ours"}
	}
	text := "servers counted " + strings.Join(different, "; ")
	if r.Totals.Failed > 0 {
		return report.Check{Text: text + ": failed requests may have been carried out or repeated"}
	}
	return report.Check{Text: text + ": somebody else uses these servers, or requests were sent twice"}
}

// readName names the row of gets and touches. They are one row, since memcached counts a
// touch by meta command that misses as a get.
func readName(ops map[string]report.Op) string {
	if ops["touch"].Count > 0 {
		return "get and touch"
	}
	return "get"
}
