package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/trace"
)

// replayCmd is mcbench replay.
type replayCmd struct {
	File        string   `arg:"" help:"Trace in the format of github.com/twitter/cache-trace, not compressed; - is standard input."`
	Server      []string `short:"s" placeholder:"HOST:PORT[=WEIGHT]" help:"Servers; none: three embedded ones, weights 2:1:1."`
	Hash        string   `default:"ketama" help:"Layout of the ring (${default})."`
	Speed       string   `default:"1x" help:"How many times faster than recorded, such as 10x, or max for a closed loop (${default})."`
	Limit       count    `default:"1M" help:"Requests to read at most (${default})."`
	MaxInflight count    `default:"10k" help:"Requests under way at most (${default})."`
	Connections int      `short:"c" default:"16" help:"With --speed max: requests under way (${default})."`
	Pool        int      `default:"2" help:"ringbeat's connections per server (${default})."`
	Timeout     span     `default:"200ms" help:"Budget of one call (${default})."`
	Seed        uint64   `default:"1" help:"Places requests within their second (${default})."`
	Client      string   `default:"${client}" help:"Client to drive: ${clients} (${default})."`
	reportFlags
}

// Help is printed below the flags' headline.
func (*replayCmd) Help() string {
	return `Examples:
  zstdcat cluster52.sort.zst | mcbench replay - -s 127.0.0.1:11211 --speed 10x
  mcbench replay trace.csv --limit 100k --speed max

A get that misses is followed by a set of the traced size. replace, append and
prepend are made as set, decr as incr.`
}

// Run replays a trace.
func (c *replayCmd) Run(a *app) error {
	cfg := bench.Config{
		Command: "replay", Clients: []string{c.Client}, Conns: c.Connections, Pool: c.Pool, Workers: c.Connections,
		Timeout: time.Duration(c.Timeout), MaxInFlight: int(c.MaxInflight), Interval: time.Second, CrossCheck: true,
		View: a.view(c.Quiet, c.NoColor),
	}
	cfg.Workload.Seed = c.Seed
	speed, err := parseSpeed(c.Speed)
	if err = errors.Join(err, target.Check(c.Client), c.reportFlags.apply(&cfg)); err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	if cfg.Trace, err = c.read(); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	cfg.Requests = len(cfg.Trace.Records)
	if speed > 0 {
		cfg.Due = cfg.Trace.Due(speed, c.Seed)
	}
	servers := fleetFlags{Server: c.Server, Hash: c.Hash}
	fleet, embedded, err := servers.fleet()
	if err != nil {
		return err
	}
	if embedded != nil {
		defer embedded.Close()
	}
	cfg.Fleet = fleet
	return a.conduct(cfg, &c.reportFlags, func(r *report.Report, w io.Writer, st report.Style) { r.WriteText(w, st) })
}

func (c *replayCmd) read() (*trace.Trace, error) {
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return trace.Read(in, int(c.Limit))
}

// parseSpeed reads 10x; max is 0.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "x"), 64)
	if err != nil || !(v > 0) {
		return 0, fmt.Errorf("--speed %q: want 10x or max", s)
	}
	return v, nil
}
