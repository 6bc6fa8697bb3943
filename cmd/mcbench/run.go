package main

import (
	"errors"
	"io"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
)

// runCmd is mcbench run.
type runCmd struct {
	fleetFlags
	paceFlags
	loadFlags
	reportFlags
	Client     string `default:"${client}" help:"Client to drive: ${clients} (${default})."`
	SharedLoad bool   `help:"Others use the servers too: no cross-check of counters."`
}

// Help is printed below the flags' headline.
func (*runCmd) Help() string {
	return `Examples:
  mcbench run                                  # three embedded servers, 2,000/s for 10 s
  mcbench run -s 127.0.0.1:11211 -r 10k -d 30s
  mcbench run -s 10.0.0.1=2,10.0.0.2 --ratio 1:30 --size fb --key-size fb --verify
  mcbench run -s 127.0.0.1:11211 -r max -c 64  # closed loop: how much does it take
  mcbench run -s 127.0.0.1 --threshold 'p99<1ms' --threshold 'errors<0.1%' --json -`
}

// config checks all flags together, so that one attempt shows every mistake.
func (c *runCmd) config(a *app) (bench.Config, error) {
	cfg := bench.Config{
		Command: "run", Clients: []string{c.Client}, Verify: c.Verify, FillMiss: c.Fill,
		NoLoad: c.NoLoad, Warmup: time.Duration(c.Warmup), Interval: time.Second, CrossCheck: !c.SharedLoad,
		View: a.view(c.Quiet, c.NoColor),
	}
	var err error
	cfg.Workload, err = c.loadFlags.config()
	if err := errors.Join(err, target.Check(c.Client), c.paceFlags.apply(&cfg, 10*time.Second), c.reportFlags.apply(&cfg)); err != nil {
		return cfg, &exitError{exitUsage, err.Error()}
	}
	return cfg, nil
}

// Run offers the load.
func (c *runCmd) Run(a *app) error {
	cfg, err := c.config(a)
	if err != nil {
		return err
	}
	fleet, embedded, err := c.fleet()
	if err != nil {
		return err
	}
	if embedded != nil {
		defer embedded.Close()
	}
	cfg.Fleet = fleet
	return a.conduct(cfg, &c.reportFlags, func(r *report.Report, w io.Writer, st report.Style) { r.WriteText(w, st) })
}
