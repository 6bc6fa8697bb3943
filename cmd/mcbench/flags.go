package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
	"github.com/ringbeat/ringbeat/ring"
)

// fleetFlags name the servers.
type fleetFlags struct {
	Server  []string `short:"s" placeholder:"HOST:PORT[=WEIGHT]" help:"Servers; none: three embedded ones, weights 2:1:1."`
	Servers []string `arg:"" optional:"" name:"server" help:"The same as -s."`
	Hash    string   `default:"ketama" help:"Layout of the ring (${default}; see docs/interop.md)."`
}

// fleet returns the servers, which must be closed.
func (f *fleetFlags) fleet() (*bench.Fleet, *bench.Embedded, error) {
	list := strings.Join(append(f.Server, f.Servers...), ",")
	if list == "" {
		e, err := bench.NewEmbedded(0, 2, 1, 1)
		if err != nil {
			return nil, nil, err
		}
		return e.Fleet, e, nil
	}
	servers, err := ring.ParseServers(list)
	if err != nil {
		return nil, nil, &exitError{exitUsage, err.Error()}
	}
	fleet, err := bench.NewFleet(servers, ring.Layout(f.Hash))
	if err != nil {
		return nil, nil, &exitError{exitUsage, err.Error()}
	}
	return fleet, nil, nil
}

// loadFlags describe the requests.
type loadFlags struct {
	Preset    string   `placeholder:"NAME" help:"A published workload: fb, twitter1, twitter4, twitter12, twitter18, twitter26, twitter52. Flags given as well win."`
	Ratio     string   `placeholder:"SET:GET" help:"Sets to gets (1:9)."`
	Mix       string   `placeholder:"OP=W,..." help:"Instead of --ratio: get=90,set=8,delete=1,incr=1 and add, touch, mget, cas."`
	Size      string   `aliases:"value-size" placeholder:"LAW" help:"Value size in bytes: 100, 10-1000, 64:3,1024:1, normal:500,100, exp:300, fb (100)."`
	KeySize   string   `placeholder:"N" help:"Key size in bytes, or fb (as short as they can be)."`
	Keys      count    `default:"100k" help:"Number of keys (${default})."`
	KeyPrefix string   `default:"mcbench-" help:"Begin of every key (${default})."`
	Dist      string   `placeholder:"LAW" help:"Key popularity: zipf:0.99, uniform, gauss:10%, hotspot:10%:90%, seq, latest (zipf:0.99)."`
	MGet      int      `name:"mget" default:"1" help:"Keys per multi-get; above 1 every get becomes one (${default})."`
	TTL       string   `name:"ttl" placeholder:"S" help:"Lifetime of values in seconds: 60, 60-300 (0: no end)."`
	HitRatio  *float64 `placeholder:"SHARE" help:"Share of the reads that ask for stored keys, 0 to 1 (1)."`
	Fill      bool     `help:"Store what a get missed, as a look-aside cache does."`
	Verify    bool     `help:"Check each value read against key and version; wrong or stale ones fail the run."`
	NoLoad    bool     `help:"Do not store the keys first."`
	Warmup    span     `default:"1s" help:"Unmeasured load before the run (${default})."`
	Seed      uint64   `default:"1" help:"Same seed, same requests (${default})."`
}

// config joins preset, flags and defaults.
func (f *loadFlags) config() (workload.Config, error) {
	c := workload.Config{
		Seed: f.Seed, Keys: int(f.Keys), Prefix: f.KeyPrefix, MGet: f.MGet,
		Law: "zipf:0.99", Size: "100", TTL: "0", HitRatio: 1, Mix: workload.Mix{workload.Get: 0.9, workload.Set: 0.1},
	}
	var errs []error
	if f.Preset != "" {
		p, err := workload.PresetNamed(f.Preset)
		errs = append(errs, err)
		if err == nil {
			c.Law, c.Size, c.KeySize, c.TTL, c.HitRatio, c.Mix = p.Law, p.Size, p.KeySize, p.TTL, p.HitRatio, p.Mix
		}
	}
	set := func(to *string, from string) {
		if from != "" {
			*to = from
		}
	}
	set(&c.Law, f.Dist)
	set(&c.Size, f.Size)
	set(&c.KeySize, f.KeySize)
	set(&c.TTL, f.TTL)
	if f.HitRatio != nil {
		c.HitRatio = *f.HitRatio
	}
	errs = append(errs, f.mix(&c))
	if err := errors.Join(errs...); err != nil {
		return c, err
	}
	return c, c.Check()
}

func (f *loadFlags) mix(c *workload.Config) (err error) {
	switch {
	case f.Mix != "" && f.Ratio != "":
		return errors.New("--mix and --ratio exclude each other")
	case f.Mix != "":
		c.Mix, err = workload.ParseMix(f.Mix)
	case f.Ratio != "":
		c.Mix, err = workload.ParseRatio(f.Ratio)
	}
	if f.MGet > 1 {
		c.Mix[workload.MGet] += c.Mix[workload.Get]
		c.Mix[workload.Get] = 0
	}
	return err
}

// paceFlags say how fast and how long.
type paceFlags struct {
	Rate        rate   `short:"r" aliases:"qps" default:"2k" help:"Requests per second in an open loop; 0 or max: closed loop (${default})."`
	Duration    length `short:"d" placeholder:"TIME" help:"How long (run: 10s; compare: 20s; failover: 4s beyond the fault)."`
	Requests    count  `short:"n" placeholder:"N" help:"This many requests instead of -d."`
	Arrival     string `default:"poisson" help:"Gaps between due times: poisson or uniform (${default})."`
	MaxInflight count  `default:"10k" help:"Open loop: requests under way at most; what is due beyond counts as not sent (${default})."`
	Connections int    `short:"c" default:"16" help:"Closed loop: requests under way; also gomemcache's idle connections (${default})."`
	Pool        int    `default:"2" help:"ringbeat's connections per server (${default})."`
	Timeout     span   `default:"200ms" help:"Budget of one call (${default})."`
}

// apply checks the flags and carries them over; usual is the duration if none is given.
func (f *paceFlags) apply(c *bench.Config, usual time.Duration) error {
	if f.Duration == 0 {
		f.Duration = length(usual)
	}
	arrival, err := pace.ParseArrival(f.Arrival)
	errs := []error{err}
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(f.Connections >= 1 && f.Connections <= 10_000, "--connections %d: want 1 to 10,000", f.Connections)
	check(f.Pool >= 1 && f.Pool <= 64, "--pool %d: want 1 to 64", f.Pool)
	check(f.MaxInflight >= 1 && f.MaxInflight <= 1_000_000, "--max-inflight %d: want 1 to 1M", f.MaxInflight)
	check(f.Timeout >= span(time.Millisecond), "--timeout %v: want at least 1ms", time.Duration(f.Timeout))
	check(f.Rate == 0 || float64(f.Rate)*time.Duration(f.Duration).Seconds() >= 1 || f.Requests > 0,
		"-r %v for %v makes no request", float64(f.Rate), time.Duration(f.Duration))
	c.Rate, c.Arrival, c.Duration = float64(f.Rate), arrival, time.Duration(f.Duration)
	if f.Requests > 0 {
		c.Requests, c.Duration = int(f.Requests), 0
	}
	c.MaxInFlight, c.Workers, c.Conns, c.Pool = int(f.MaxInflight), f.Connections, f.Connections, f.Pool
	c.Timeout = time.Duration(f.Timeout)
	return errors.Join(errs...)
}

// reportFlags say what to print and to save, and what makes the run fail.
type reportFlags struct {
	Percentiles percents `short:"P" default:"50,90,99,99.9" help:"Percentiles to show (${default})."`
	Threshold   []string `sep:"none" placeholder:"COND" help:"Fail with exit code 99 unless it holds: p99<1ms, errors<0.1%, hits>95%, rate>9900. May be repeated."`
	Strict      bool     `help:"Exit with 98 if the measurement is not to be trusted (self-check or cross-check failed)."`
	JSON        string   `name:"json" placeholder:"FILE" help:"Write the result as JSON; - is standard output."`
	CSV         string   `name:"csv" placeholder:"FILE" help:"Write the series as CSV."`
	HDR         string   `name:"hdr" placeholder:"FILE" help:"Write interval histograms as an HdrHistogram log."`
	HTML        string   `name:"html" placeholder:"FILE" help:"Write a page with charts that opens offline."`
	Quiet       bool     `short:"q" help:"No live view and no summary."`
	NoColor     bool     `help:"No colour; NO_COLOR does the same."`
}

func (f *reportFlags) apply(c *bench.Config) error {
	c.Percentiles = f.Percentiles
	var errs []error
	texts := f.Threshold
	if c.Verify {
		texts = append(texts, "stale==0", "wrong==0")
	}
	for _, s := range texts {
		t, err := report.ParseThreshold(s)
		errs = append(errs, err)
		c.Thresholds = append(c.Thresholds, t)
	}
	return errors.Join(errs...)
}
