package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// report draws up the reports of all lanes; the first lane's is on top.
func (b *bench) report(ctx context.Context, env report.Env, before []map[string]int64) *report.Report {
	after := b.counters()
	probes := b.cfg.Fleet.Ask(max(b.cfg.Timeout, time.Second))
	var top *report.Report
	for _, l := range b.lanes {
		r := b.laneReport(l, env)
		r.Interrupted = ctx.Err() != nil
		for i, err := range probes {
			if err != nil && r.Servers[i].State == "up" {
				r.Servers[i].State = "DOWN"
			}
		}
		if b.cfg.CrossCheck && len(b.lanes) == 1 {
			r.Checks["cross-check"] = crossCheck(r, before, after)
		}
		r.Checks["self-check"] = b.selfCheck(r, l)
		for _, t := range b.cfg.Thresholds {
			r.Thresholds = append(r.Thresholds, t.Check(r))
		}
		if top == nil {
			top = r
		} else {
			top.Others = append(top.Others, r)
		}
	}
	return top
}

func (b *bench) laneReport(l *lane, env report.Env) *report.Report {
	tally := l.rec.Total()
	r := &report.Report{
		Version: report.SchemaVersion, Command: b.cfg.Command, Client: l.name, Started: l.start,
		Config: b.conf, Env: env, Ops: map[string]report.Op{}, Errors: tally.Errors,
		Checks: map[string]report.Check{}, Thresholds: []report.ThresholdResult{},
		Servers: b.servers(), Events: b.events(l),
	}
	l.mu.Lock()
	r.Series = l.series
	for i := range r.Servers {
		r.Servers[i].State = l.states[i]
	}
	l.mu.Unlock()
	always := []float64{50, 99, 99.9} // the tables of failover and the HTML report want them
	r.Shown = b.cfg.Percentiles
	r.Fill(tally, slices.Concat(always, b.cfg.Percentiles, report.Percents(b.cfg.Thresholds)))
	fillTotals(r, tally, l)
	fillOps(r, tally, b.cfg.Percentiles)
	for i, s := range tally.Servers {
		v := &r.Servers[i]
		v.Requests, v.Failed, v.Hits, v.Misses = s.Count, s.Failed, s.Hits, s.Misses
	}
	if b.cfg.Fault != nil {
		r.Fault = b.fault(l, r)
	}
	return r
}

// events joins what the client saw and what was done to the servers, in order.
func (b *bench) events(l *lane) []report.Event {
	l.mu.Lock()
	all := slices.Clone(l.events)
	l.mu.Unlock()
	b.mu.Lock()
	all = append(all, b.faults...)
	b.mu.Unlock()
	slices.SortStableFunc(all, func(x, y report.Event) int {
		switch {
		case x.T < y.T:
			return -1
		case x.T > y.T:
			return 1
		}
		return 0
	})
	if all == nil {
		all = []report.Event{}
	}
	return all
}

func fillTotals(r *report.Report, t *measure.Tally, l *lane) {
	sum, n := t.Sum(), &r.Totals
	n.Sent, n.NotSent, n.Unfinished = t.Sent, t.NotSent, l.outcome.Unfinished
	n.Offered = int64(l.outcome.Slots)
	n.Failed = sum.Failed + n.NotSent + n.Unfinished
	n.OK = sum.Count - sum.Failed
	n.Hits, n.Misses, n.Stale, n.Wrong = sum.Hits, sum.Misses, sum.Stale, sum.Wrong
	n.ElapsedS = l.outcome.Elapsed.Seconds()
	if sending := l.offeredTime().Seconds(); sending > 0 {
		n.OfferedPS = float64(n.Offered) / sending
	}
	if n.ElapsedS > 0 {
		fills := t.Ops[workload.Fill]
		n.DonePS = float64(n.OK-fills.Count+fills.Failed) / max(n.ElapsedS, l.offeredTime().Seconds())
	}
}

// offeredTime is the length of the plan, or what ran of it.
func (l *lane) offeredTime() time.Duration {
	if l.cfg.Rate > 0 && l.outcome.Sending > 0 {
		planned := l.cfg.Duration
		if planned == 0 {
			planned = time.Duration(float64(l.cfg.Requests) / l.cfg.Rate * float64(time.Second))
		}
		if float64(l.outcome.Slots) >= l.cfg.Rate*planned.Seconds()-1 {
			return planned // the last due time lies before the end of the plan
		}
	}
	return l.outcome.Sending
}

func fillOps(r *report.Report, t *measure.Tally, ps []float64) {
	for op := range workload.Op(workload.NumOps) {
		o := &t.Ops[op]
		if o.Count == 0 {
			continue
		}
		row := report.Op{
			Count: o.Count, Failed: o.Failed, Hits: o.Hits, Misses: o.Misses, Refused: o.Refused,
			MS: map[string]float64{}, MaxMS: report.Ms(measure.Max(o.Response)),
		}
		for _, p := range ps {
			row.MS[report.Percent(p)] = report.Ms(measure.At(o.Response, p))
		}
		r.Ops[op.String()] = row
	}
}

// fault sums up the outage as this client lived through it.
func (b *bench) fault(l *lane, r *report.Report) *report.Fault {
	p := b.cfg.Fault
	f := &report.Fault{
		Kind: p.Kind, Server: b.cfg.Fleet.Servers[p.Victim].Name, At: p.At.Seconds(), Until: (p.At + p.For).Seconds(),
		FirstFail: at(&l.watch.firstFail), LastFail: at(&l.watch.lastFail), Back: at(&l.watch.firstGood),
		WorstMS: r.Totals.MaxMS,
	}
	for _, e := range r.Events {
		if e.Server != f.Server {
			continue
		}
		if strings.HasPrefix(e.What, "fault: "+p.Kind) {
			f.At = e.T
		}
		if e.What == "fault: healed" {
			f.Until = e.T
		}
		if e.T < f.At {
			continue
		}
		if t := e.T; f.Detect == nil && (strings.HasPrefix(e.What, "suspect") || strings.HasPrefix(e.What, "ejected")) {
			f.Detect = &t
		}
		if t := e.T; f.Eject == nil && strings.HasPrefix(e.What, "ejected") {
			f.Eject = &t
		}
		if t := e.T; t >= f.Until && strings.HasPrefix(e.What, "back") {
			f.Back = &t
		}
	}
	return f
}

// selfCheck tells what the generator itself did to the figures.
func (b *bench) selfCheck(r *report.Report, l *lane) report.Check {
	tally := l.rec.Total()
	cores := float64(r.Env.CPUs)
	cpu := r.Env.CPUSeconds / max(r.Totals.ElapsedS, 1e-3)
	text := fmt.Sprintf("CPU %.1f of %d cores, GC %d pauses %.1f ms", cpu, r.Env.CPUs, r.Env.GCPauses, r.Env.GCPauseMS)
	c := report.Check{OK: true}
	if r.Config.Loop == "open" {
		lag99, response99 := measure.At(tally.Lag, 99), measure.At(tally.Response, 99)
		text = fmt.Sprintf("own lag p99 %s ms, ", report.Millis(report.Ms(lag99))) + text
		if lag99 > time.Millisecond && lag99 > response99/10 {
			c.OK = false
			text += fmt.Sprintf("; the generator was late itself: differences below %s ms mean nothing here", report.Millis(report.Ms(lag99)))
		}
	}
	if cpu > 0.9*cores {
		c.OK = false
		text += "; the CPU was used up: latencies are partly the generator's own"
	}
	c.Text = text
	return c
}
