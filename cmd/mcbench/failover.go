package main

import (
	"errors"
	"io"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/fault"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
)

// failoverCmd is mcbench failover.
type failoverCmd struct {
	fleetFlags
	paceFlags
	loadFlags
	reportFlags
	Fault     string   `default:"blackhole" help:"kill, hang, blackhole, slow:50ms, reset or flap:2s (${default})."`
	At        span     `default:"4s" help:"When the server breaks (${default})."`
	For       span     `default:"4s" help:"For how long (${default})."`
	Victim    int      `default:"0" help:"Number of the server that breaks, from 0 (${default})."`
	VictimPID int      `name:"victim-pid" placeholder:"PID" help:"Break a real server's process: SIGSTOP for hang and flap, SIGKILL for kill."`
	IPTables  bool     `name:"iptables" help:"Break a real server's port with packet filter rules: blackhole and flap, as root."`
	OtherQPS  *float64 `name:"other-qps" placeholder:"N" help:"Requests per second to all other servers together; the victim keeps its own share of the rate."`
	Client    []string `default:"${rivals}" help:"Clients side by side, each with the whole load: ${clients} (${default})."`
}

// Help is printed below the flags' headline.
func (*failoverCmd) Help() string {
	return `Examples:
  mcbench failover                             # embedded servers, black hole from 4 s to 8 s
  mcbench failover --fault hang --other-qps 2
  mcbench failover --fault flap:2s --for 12s -d 20s --html flap.html
  mcbench failover -s 127.0.0.1:22400=2,127.0.0.1:22401 --victim-pid 4711 --fault hang`
}

// Run breaks a server under load.
func (c *failoverCmd) Run(a *app) error {
	cfg := bench.Config{
		Command: "failover", Clients: c.Client, Verify: true, FillMiss: true,
		NoLoad: c.NoLoad, Warmup: time.Duration(c.Warmup), Interval: 200 * time.Millisecond,
		View: a.view(c.Quiet, c.NoColor),
	}
	if c.Dist == "" {
		c.Dist = "uniform" // every client's share of the victim is then the same
	}
	var err error
	cfg.Workload, err = c.loadFlags.config()
	spec, ferr := fault.Parse(c.Fault)
	err = errors.Join(err, ferr, c.paceFlags.apply(&cfg, time.Duration(c.At+c.For)+4*time.Second), c.check(), c.reportFlags.apply(&cfg))
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	return c.conduct(a, cfg, spec)
}

func (c *failoverCmd) check() error {
	var errs []error
	if len(c.Client) == 0 {
		errs = append(errs, errors.New("--client: want at least one"))
	}
	if c.OtherQPS != nil && !(*c.OtherQPS >= 0) {
		errs = append(errs, errors.New("--other-qps: want 0 or more"))
	}
	for _, name := range c.Client {
		errs = append(errs, target.Check(name))
	}
	if c.Duration > 0 && span(c.Duration) <= c.At {
		errs = append(errs, errors.New("-d ends before --at: the server would never break"))
	}
	if c.VictimPID != 0 && c.IPTables {
		errs = append(errs, errors.New("--victim-pid and --iptables exclude each other"))
	}
	if (c.VictimPID != 0 || c.IPTables) && len(c.Server)+len(c.Servers) == 0 {
		errs = append(errs, errors.New("--victim-pid and --iptables need real servers: add -s HOST:PORT"))
	}
	return errors.Join(errs...)
}

func (c *failoverCmd) conduct(a *app, cfg bench.Config, spec fault.Spec) error {
	fleet, embedded, err := c.fleet()
	if err != nil {
		return err
	}
	if embedded != nil {
		defer embedded.Close()
	}
	cfg.Fleet = fleet
	breaker, err := c.breaker(fleet, embedded, spec)
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	if cfg.OtherQPS = -1; c.OtherQPS != nil {
		cfg.OtherQPS = *c.OtherQPS
	}
	cfg.Fault = &bench.FaultPlan{
		Kind: spec.String(), Victim: c.Victim, At: time.Duration(c.At), For: time.Duration(c.For), Breaker: breaker,
	}
	defer func() { breaker.Heal() }() // also on a panic: nothing may stay broken
	return a.conduct(cfg, &c.reportFlags, func(r *report.Report, w io.Writer, st report.Style) { r.WriteFailover(w, st) })
}

func (c *failoverCmd) breaker(f *bench.Fleet, e *bench.Embedded, spec fault.Spec) (fault.Breaker, error) {
	if c.Victim < 0 || c.Victim >= len(f.Servers) {
		return nil, errors.New("--victim: no server has this number (they count from 0)")
	}
	switch {
	case e != nil:
		return fault.Embedded(e.Instances[c.Victim], spec), nil
	case c.VictimPID != 0:
		return fault.Process(c.VictimPID, spec)
	case c.IPTables:
		return fault.IPTables(f.Servers[c.Victim].Addr, spec)
	}
	return nil, errors.New("a real server breaks only by --victim-pid PID or --iptables")
}
