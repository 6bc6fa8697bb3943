package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// bench is a run under way.
type bench struct {
	cfg   Config
	lanes []*lane
	conf  report.Config
	hdr   *hdrLog

	mu     sync.Mutex // guards the fields below
	faults []report.Event
}

// settle is the time between a decision to start and the first due time.
const settle = 20 * time.Millisecond

// Run conducts a run from the preload to the report. The end of ctx ends it early: the
// report then says what ran. An error means that there is nothing to report.
func Run(ctx context.Context, cfg Config) (*report.Report, error) {
	defer cfg.View.Done()
	if cfg.Fault != nil && cfg.OtherQPS >= 0 && cfg.Rate > 0 { // the victim keeps its own share
		victim := cfg.Fleet.Ring.Share(cfg.Fleet.Servers[cfg.Fault.Victim].Name)
		cfg.Rate = cfg.Rate*victim + cfg.OtherQPS
	}
	b, err := newBench(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer b.close()
	return b.measured(ctx)
}

// newBench asks the servers, sets the clients up and fills the servers.
func newBench(ctx context.Context, cfg Config) (*bench, error) {
	if err := askAll(cfg.Fleet, cfg.Timeout, cfg.View); err != nil {
		return nil, err
	}
	b := &bench{cfg: cfg, conf: describe(&cfg)}
	for i, name := range cfg.Clients {
		l, err := newLane(&b.cfg, name, uint64(time.Now().UnixNano())+uint64(i))
		if err != nil {
			b.close()
			return nil, err
		}
		b.lanes = append(b.lanes, l)
	}
	b.conf.Workload = b.lanes[0].describe()
	if err := b.prepare(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	for _, l := range b.lanes {
		l.client.Close() // nothing is under way or ever will be: its error tells nothing
	}
}

// askAll says which servers do not answer, and fails if none does.
func askAll(f *Fleet, timeout time.Duration, v View) error {
	good := 0
	var all []error
	for _, err := range f.Ask(max(timeout, time.Second)) {
		if err == nil {
			good++
			continue
		}
		all = append(all, err)
	}
	if good == 0 {
		return fmt.Errorf("%w: %w", ErrNoServer, errors.Join(all...))
	}
	for _, err := range all {
		v.Note("warning: " + err.Error())
	}
	return nil
}

func describe(cfg *Config) report.Config {
	c := report.Config{
		Servers: cfg.Fleet.Names(), Embedded: cfg.Fleet.Embedded, Loop: "open",
		Rate: cfg.Rate, Arrival: string(cfg.Arrival), DurationS: cfg.Duration.Seconds(), Requests: cfg.Requests,
		Connections: cfg.Conns, MaxInFlight: cfg.MaxInFlight, TimeoutMS: report.Ms(cfg.Timeout),
		Keys: cfg.Workload.Keys, Seed: cfg.Workload.Seed, Verify: cfg.Verify,
	}
	if !cfg.open() {
		c.Loop, c.Arrival, c.MaxInFlight, c.Workers = "closed", "", 0, cfg.Workers
	}
	return c
}

// prepare fills the servers and warms up.
func (b *bench) prepare(ctx context.Context) error {
	if !b.cfg.NoLoad && b.cfg.Trace == nil {
		for _, l := range b.lanes {
			if err := l.preload(ctx, b.cfg.View); err != nil {
				return err
			}
		}
	}
	if b.cfg.Warmup <= 0 || b.cfg.Trace != nil {
		return nil
	}
	start := time.Now()
	return b.each(start, start.Add(b.cfg.Warmup), func(l *lane) error {
		return l.offer(ctx, load.Config{}, b.cfg.Warmup, ^b.cfg.Workload.Seed)
	}, func() { b.cfg.View.Tick(b.status(time.Since(start), true)) })
}

// each runs one function per lane side by side and calls tick at the end of every interval
// after start, but not so close to the planned end that a stump of an interval would be
// left: what is last belongs to the caller.
func (b *bench) each(start, end time.Time, run func(*lane) error, tick func()) error {
	errs := make([]error, len(b.lanes))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i, l := range b.lanes {
		wg.Go(func() { errs[i] = run(l) })
	}
	go func() {
		wg.Wait()
		close(done)
	}()
	next := start.Add(b.cfg.Interval)
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		select {
		case <-done:
			return errors.Join(errs...)
		case <-timer.C:
		}
		if !end.After(start) || next.Before(end.Add(-b.cfg.Interval/2)) || next.After(end.Add(b.cfg.Interval/2)) {
			tick()
		}
		next = next.Add(b.cfg.Interval)
		timer.Reset(time.Until(next))
	}
}

// length is the planned length of the measured part, 0 if it is not known.
func (b *bench) length() time.Duration {
	if n := len(b.cfg.Due); n > 0 {
		return b.cfg.Due[n-1]
	}
	if b.cfg.Duration == 0 && b.cfg.Rate > 0 {
		return time.Duration(float64(b.cfg.Requests) / b.cfg.Rate * float64(time.Second))
	}
	return b.cfg.Duration
}

func (b *bench) measured(ctx context.Context) (*report.Report, error) {
	env := Environment()
	env.LocalLoad = b.cfg.Fleet.Local()
	before := b.counters()
	used := useNow()
	start := time.Now().Add(settle)
	for _, l := range b.lanes {
		l.begin(start)
	}
	if b.cfg.HDR != nil {
		var err error
		if b.hdr, err = newHDRLog(b.cfg.HDR, start); err != nil {
			return nil, err
		}
	}
	if err := b.load(ctx, start); err != nil {
		return nil, err
	}
	b.used(&env, used)
	return b.report(ctx, env, before), nil
}

// load offers the measured load and breaks the victim at its time.
func (b *bench) load(ctx context.Context, start time.Time) error {
	stopFault := b.runFault(ctx, start)
	err := b.each(start, start.Add(b.length()), func(l *lane) error {
		return l.offer(ctx, load.Config{Start: start}, b.cfg.Duration, b.cfg.Workload.Seed)
	}, func() { b.tick(start) })
	stopFault()
	b.tick(start)
	if err == nil && b.hdr != nil {
		err = b.hdr.err
	}
	return err
}

func (b *bench) used(env *report.Env, before usage) {
	now := useNow()
	env.CPUSeconds = (now.cpu - before.cpu).Seconds()
	env.GCPauses = int(now.gcs - before.gcs)
	env.GCPauseMS = report.Ms(now.pause - before.pause)
}

// counters asks the servers' own counters, if they are wanted.
func (b *bench) counters() []map[string]int64 {
	if !b.cfg.CrossCheck {
		return nil
	}
	return b.cfg.Fleet.Counters(max(b.cfg.Timeout, time.Second))
}

// tick closes an interval.
func (b *bench) tick(start time.Time) {
	now := time.Now()
	if now.Before(start) {
		return
	}
	for i, l := range b.lanes {
		t := l.tick(now)
		if b.hdr != nil && i == 0 {
			b.hdr.write(t.Response, now)
		}
	}
	b.cfg.View.Tick(b.status(now.Sub(start), false))
}

func (b *bench) status(elapsed time.Duration, warming bool) Status {
	s := Status{Elapsed: elapsed, Length: b.length(), Warming: warming, Config: &b.conf, Servers: b.servers()}
	if warming {
		s.Length = b.cfg.Warmup
	}
	for _, l := range b.lanes {
		s.Lanes = append(s.Lanes, l.status())
	}
	return s
}

func (b *bench) servers() []report.Server {
	var out []report.Server
	total := 0
	for _, s := range b.cfg.Fleet.Servers {
		total += s.Weight
	}
	for _, s := range b.cfg.Fleet.Servers {
		out = append(out, report.Server{
			Name: s.Name, Weight: s.Weight, Ideal: float64(s.Weight) / float64(total), Ring: b.cfg.Fleet.Ring.Share(s.Name),
		})
	}
	return out
}
