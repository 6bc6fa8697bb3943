package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
)

// compareCmd is mcbench compare.
type compareCmd struct {
	fleetFlags
	paceFlags
	loadFlags
	Against string `default:"gomemcache" help:"The client to compare with: ${clients} (${default})."`
	Client  string `default:"${client}" help:"The client in front: ${clients} (${default})."`
	Slice   span   `default:"500ms" help:"Length of a slice (${default})."`
	JSON    string `name:"json" placeholder:"FILE" help:"Write the result as JSON; - is standard output."`
	Quiet   bool   `short:"q" help:"No progress."`
	NoColor bool   `help:"No colour; NO_COLOR does the same."`
}

// Help is printed below the flags' headline.
func (*compareCmd) Help() string {
	return `Examples:
  mcbench compare -r max -c 64 -d 20s          # throughput, closed loop
  mcbench compare -r 5k -d 20s                 # latency and CPU at the same rate
  mcbench compare --against ringbeat -d 20s    # itself: the intervals must contain 1.0`
}

// Run compares two clients.
func (c *compareCmd) Run(a *app) error {
	cfg, err := c.config(a)
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	fleet, embedded, err := c.fleet()
	if err != nil {
		return err
	}
	if embedded != nil {
		defer embedded.Close()
	}
	cfg.Fleet = fleet
	result, err := bench.Compare(a.ctx, cfg, time.Duration(c.Slice))
	if err != nil {
		return err
	}
	if c.JSON != "-" {
		writeComparison(a.stdout, result, report.Style{Color: a.color(a.stdout, c.NoColor)})
	}
	return a.save(c.JSON, func(w io.Writer) error { return writeJSON(w, result) })
}

func (c *compareCmd) config(a *app) (bench.Config, error) {
	cfg := bench.Config{
		Command: "compare", Clients: []string{c.Client, c.Against}, NoLoad: c.NoLoad,
		FillMiss: c.Fill, Verify: c.Verify, Warmup: time.Duration(c.Warmup), Interval: time.Second,
		View: a.view(c.Quiet, c.NoColor),
	}
	w, err := c.loadFlags.config()
	cfg.Workload = w
	err = errors.Join(err, target.Check(c.Client), target.Check(c.Against), c.paceFlags.apply(&cfg, 20*time.Second))
	if c.Requests > 0 {
		err = errors.Join(err, errors.New("compare runs for a time: use -d instead of -n"))
	}
	if c.Slice < span(50*time.Millisecond) {
		err = errors.Join(err, errors.New("--slice: want at least 50ms"))
	}
	return cfg, err
}

func writeComparison(w io.Writer, c *bench.Comparison, st report.Style) {
	loop := "closed loop, " + fmt.Sprint(c.Config.Workers) + " under way"
	if c.Loop == "open" {
		loop = "open loop, " + report.Group(int64(c.Config.Rate+0.5)) + "/s"
	}
	fmt.Fprintf(w, "%s against %s: %d slices of %g s each, alternating; %s\n%s\n\n",
		c.Clients[0], c.Clients[1], c.Slices, c.Slice, loop, c.Config.Workload)
	fmt.Fprintf(w, "%-12s %8s  %-18s  %14s %14s\n", "", "ratio", "95 % interval", c.Clients[0], c.Clients[1])
	for _, r := range c.Rows {
		iv := fmt.Sprintf("%.3f .. %.3f", r.Ratio.Low, r.Ratio.High)
		mark := ""
		if r.Ratio.Contains(1) {
			mark = "  no difference shown"
		}
		fmt.Fprintf(w, "%-12s %8.3f  %-18s  %14s %14s%s\n", r.Name, r.Ratio.Estimate, iv,
			figure(r.Median[0], r.Unit), figure(r.Median[1], r.Unit), mark)
	}
	fmt.Fprintf(w, "\nThe ratio comes from neighbouring slices; the medians on the right move with the\nmachine's noise. CPU is this process's%s.\n", embeddedNote(c))
	for i, n := range c.Failed {
		if n > 0 {
			fmt.Fprintln(w, st.Bad(fmt.Sprintf("%s: %s of %s requests failed", c.Clients[i], report.Group(n), report.Group(c.Total[i]))))
		}
	}
}

func embeddedNote(c *bench.Comparison) string {
	if c.Config.Embedded {
		return ", embedded servers included"
	}
	return ""
}

func figure(v float64, unit string) string {
	if strings.HasPrefix(unit, "/") {
		return report.Group(int64(v+0.5)) + unit
	}
	return report.Millis(v) + " " + unit
}
