package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/view"
)

// findCmd is mcbench find.
type findCmd struct {
	fleetFlags
	loadFlags
	SLO         []string `name:"slo" sep:"none" required:"" placeholder:"COND" help:"The goal, such as p99<1ms; may be repeated. errors<0.1% always belongs to it."`
	From        rate     `default:"1k" help:"First rate (${default})."`
	To          rate     `default:"1M" help:"Never offer more (${default})."`
	Step        span     `default:"5s" help:"Length of a step (${default})."`
	Precision   float64  `default:"5" help:"Stop when the knee is known within this many percent (${default})."`
	MaxInflight count    `default:"10k" help:"Requests under way at most (${default})."`
	Connections int      `short:"c" default:"16" help:"gomemcache's idle connections (${default})."`
	Pool        int      `default:"2" help:"ringbeat's connections per server (${default})."`
	Timeout     span     `default:"200ms" help:"Budget of one call (${default})."`
	Client      string   `default:"${client}" help:"Client to drive: ${clients} (${default})."`
	JSON        string   `name:"json" placeholder:"FILE" help:"Write the steps as JSON; - is standard output."`
}

// Help is printed below the flags' headline.
func (*findCmd) Help() string {
	return `Examples:
  mcbench find --slo 'p99<1ms' -s 127.0.0.1:11211
  mcbench find --slo 'p99<2ms' --slo 'p99.9<10ms' --size fb --step 10s

The rate grows by half until the goal is missed, then the gap is halved. When the
generator itself is late the search ends: the servers were not the limit.`
}

// step is one rate that was tried.
type step struct {
	Rate      float64 `json:"rate"`
	Completed float64 `json:"completed_per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`
	Failed    int64   `json:"failed"`
	LagP99    float64 `json:"lag_p99_ms"`
	Verdict   string  `json:"verdict"` // holds, missed: ..., generator limit
}

// search is the plan: a rate known to hold and the lowest known to fail.
type search struct {
	good, bad float64
	rate      float64
	precision float64 // as a ratio above 1
	most      float64
}

// next takes the last rate's verdict and returns false when the knee is known.
func (s *search) next(holds bool) bool {
	if holds {
		s.good = max(s.good, s.rate)
	} else if s.bad == 0 || s.rate < s.bad {
		s.bad = s.rate
	}
	switch {
	case s.bad == 0:
		if s.rate >= s.most {
			return false
		}
		s.rate = min(s.rate*1.5, s.most)
	case s.good == 0:
		s.rate /= 2
		return s.rate >= 1
	default:
		if s.bad/s.good <= s.precision {
			return false
		}
		s.rate = (s.good + s.bad) / 2
	}
	return true
}

// Run searches.
func (c *findCmd) Run(a *app) error {
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
	out := a.stdout
	if c.JSON == "-" {
		out = a.stderr
	}
	s := &search{rate: float64(c.From), precision: 1 + c.Precision/100, most: float64(c.To)}
	steps, limited, err := c.search(a, cfg, s, out)
	if err != nil {
		return err
	}
	c.conclude(out, s, limited)
	err = a.save(c.JSON, func(w io.Writer) error {
		return writeJSON(w, map[string]any{"knee": s.good, "generator_limit": limited, "steps": steps})
	})
	switch {
	case err == nil && s.good == 0 && limited:
		return &exitError{exitUntrusted, "the generator was late at every rate"}
	case err == nil && s.good == 0:
		return &exitError{exitThreshold, "the goal was met at no rate"}
	}
	return err
}

func (c *findCmd) config(a *app) (bench.Config, error) {
	var goals []report.Threshold
	var errs []error
	for _, text := range append(c.SLO, "errors<0.1%") {
		t, err := report.ParseThreshold(text)
		goals, errs = append(goals, t), append(errs, err)
	}
	w, err := c.loadFlags.config()
	errs = append(errs, err, target.Check(c.Client))
	if c.From < 1 || c.To < c.From || c.Precision < 0.1 || c.Step < span(100*time.Millisecond) {
		errs = append(errs, errors.New("want 1 <= --from <= --to, --precision of at least 0.1 and --step of at least 100ms"))
	}
	return bench.Config{
		Command: "find", Clients: []string{c.Client}, Conns: c.Connections, Pool: c.Pool,
		Timeout: time.Duration(c.Timeout), Workload: w, FillMiss: c.Fill, Arrival: "poisson",
		Duration: time.Duration(c.Step), MaxInFlight: int(c.MaxInflight), NoLoad: c.NoLoad,
		Warmup: min(time.Duration(c.Warmup), time.Duration(c.Step)/4), Interval: time.Second,
		Percentiles: []float64{50, 99, 99.9}, Thresholds: goals, View: view.Silent{W: a.stderr},
	}, errors.Join(errs...)
}

func (c *findCmd) search(a *app, cfg bench.Config, s *search, out io.Writer) (steps []step, limited bool, err error) {
	fmt.Fprintf(out, "%10s %10s %8s %8s %8s %8s %8s\n", "offered/s", "done/s", "p50 ms", "p99", "p99.9", "lag p99", "failed")
	for tries := 0; ; {
		cfg.Rate = s.rate
		r, err := bench.Run(a.ctx, cfg)
		if err != nil {
			return steps, false, err
		}
		if r.Interrupted {
			return steps, false, &exitError{code: exitInterrupted}
		}
		cfg.NoLoad = true // the keys are there now
		one := judge(r, s.rate)
		steps = append(steps, one)
		fmt.Fprintf(out, "%10s %10s %8s %8s %8s %8s %8s  %s\n", report.Group(int64(one.Rate+0.5)), report.Group(int64(one.Completed+0.5)),
			report.Millis(one.P50), report.Millis(one.P99), report.Millis(one.P999), report.Millis(one.LagP99), report.Group(one.Failed), one.Verdict)
		if one.Verdict == generatorLimit {
			if tries++; tries < patience {
				continue // a hiccup of the machine passes, a limit does not
			}
			return steps, true, nil
		}
		tries = 0
		if !s.next(one.Verdict == "holds") {
			return steps, false, nil
		}
	}
}

const generatorLimit = "generator limit"

// patience is how many times in a row a step may be spoilt by the generator.
const patience = 3

// judge gives a step its verdict. A goal that is met is met, however late we were; one
// that is missed while we were late ourselves says nothing about the servers.
func judge(r *report.Report, rate float64) step {
	p := r.Percentiles
	s := step{
		Rate: rate, Completed: r.Totals.DonePS, P50: p["response"]["50"], P99: p["response"]["99"], P999: p["response"]["99.9"],
		Failed: r.Totals.Failed, LagP99: p["lag"]["99"], Verdict: "holds",
	}
	for _, t := range r.Thresholds {
		if !t.Pass {
			s.Verdict = "missed: " + t.Text
			if !r.Checks["self-check"].OK {
				s.Verdict = generatorLimit
			}
			break
		}
	}
	return s
}

func (c *findCmd) conclude(w io.Writer, s *search, limited bool) {
	switch {
	case limited && s.good == 0:
		fmt.Fprintln(w, "\nThe generator was late itself: nothing can be told from this machine now (see mcbench\ndoctor).")
	case limited:
		fmt.Fprintf(w, "\nThe generator was late itself: the goal holds at %s/s at least; where the servers'\nlimit lies cannot be told from this machine (see mcbench doctor).\n", report.Group(int64(s.good)))
	case s.good == 0:
		fmt.Fprintln(w, "\nThe goal was met at no rate.")
	case s.bad == 0:
		fmt.Fprintf(w, "\nThe goal holds up to --to %s/s.\n", report.Group(int64(s.good)))
	default:
		fmt.Fprintf(w, "\nThe goal holds up to %s/s; at %s/s it is missed.\n", report.Group(int64(s.good)), report.Group(int64(s.bad)))
	}
}
