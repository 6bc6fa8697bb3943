package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/trace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// lane is one client with its load.
type lane struct {
	name    string
	cfg     *Config
	client  target.Client
	session *load.Session // nil when a trace is replayed
	doer    load.Doer
	rec     *measure.Recorder
	watch   *watch // nil without a fault
	outcome load.Outcome

	mu     sync.Mutex // guards the fields below
	start  time.Time  // zero before the measured part
	events []report.Event
	states []string
	series []report.Point
	sent   int64 // up to the last interval
}

func newLane(cfg *Config, name string, run uint64) (*lane, error) {
	l := &lane{name: name, cfg: cfg, states: make([]string, len(cfg.Fleet.Servers))}
	for i := range l.states {
		l.states[i] = "up"
	}
	client, err := target.New(name, target.Options{
		Servers: cfg.Fleet.Servers, Home: cfg.Fleet.Home, Layout: cfg.Fleet.Layout,
		Conns: cfg.Conns, Pool: cfg.Pool, Timeout: cfg.Timeout, OnEvent: l.onEvent,
	})
	if err != nil {
		return nil, err
	}
	l.client, l.rec = client, l.newRecorder()
	if err := l.setUp(run); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return l, nil
}

// setUp chooses what makes the requests.
func (l *lane) setUp(run uint64) error {
	cfg := l.cfg
	if cfg.Trace != nil {
		l.doer = trace.NewReplay(cfg.Trace, l.client, cfg.Fleet.Home)
		return nil
	}
	wc := cfg.Workload
	if len(cfg.Clients) > 1 && cfg.Verify {
		wc.Prefix += l.name + "-" // side by side, nobody reads another client's values
	}
	if cfg.Verify {
		wc.MinSize = 24
	}
	w, err := workload.New(wc)
	if err != nil {
		return err
	}
	l.session = &load.Session{
		Workload: w, Values: workload.NewValues(run), Client: l.client,
		Homes: homes(cfg.Fleet, w.Keys), FillMiss: cfg.FillMiss,
	}
	l.doer = l.session
	if cfg.Verify {
		l.session.Ledger = workload.NewLedger(w.Keys.Len())
	}
	if cfg.Fault != nil {
		l.watch = newWatch(l.session, cfg.Fault.Victim)
		l.doer = l.watch
	}
	return l.split()
}

// describe returns the workload in one line.
func (l *lane) describe() string {
	if t := l.cfg.Trace; t != nil {
		return fmt.Sprintf("trace of %d requests for %d keys", len(t.Records), len(t.Keys))
	}
	return l.session.Workload.Describe()
}

// split gives the victim the share of the requests that the other servers' fixed rate leaves.
func (l *lane) split() error {
	cfg := l.cfg
	if cfg.Fault == nil || cfg.OtherQPS < 0 || cfg.Rate <= 0 {
		return nil
	}
	share := max(0, 1-cfg.OtherQPS/cfg.Rate)
	return l.session.Workload.Split(func(key int) bool {
		return int(l.session.Homes[key]) == cfg.Fault.Victim
	}, share)
}

func homes(f *Fleet, k *workload.Keys) []uint16 {
	out := make([]uint16, k.Total())
	for i := range out {
		out[i] = uint16(f.Home(k.Name(i)))
	}
	return out
}

func (l *lane) newRecorder() *measure.Recorder {
	return measure.NewRecorder(2*runtime.GOMAXPROCS(0), len(l.cfg.Fleet.Servers))
}

// onEvent is called by the client, from any goroutine.
func (l *lane) onEvent(at time.Time, server, what, state string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.cfg.Fleet.Servers {
		if s.Name == server && state != "" {
			l.states[i] = state
		}
	}
	if l.start.IsZero() {
		return // during preload or warm-up; the states are kept
	}
	l.events = append(l.events, report.Event{T: seconds(at.Sub(l.start)), Server: server, What: what})
}

func seconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Second)
}

// begin starts the measured part: what came before is forgotten.
func (l *lane) begin(start time.Time) {
	l.rec = l.newRecorder()
	if l.watch != nil {
		l.watch.start.Store(start.UnixNano())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start, l.events, l.series, l.sent = start, nil, nil, 0
}

// offer runs the load for a duration (or the configured number of requests, if count).
func (l *lane) offer(ctx context.Context, c load.Config, d time.Duration, seed uint64) error {
	cfg := l.cfg
	c.Grace = cfg.Timeout + time.Second
	switch {
	case cfg.open():
		s, err := l.schedule(d, seed)
		if err != nil {
			return err
		}
		waiter := pace.NewPrecise()
		defer waiter.Close()
		c.Schedule, c.Waiter, c.MaxInFlight = s, waiter, cfg.MaxInFlight
	default:
		c.Workers, c.Duration = cfg.Workers, d
		if d == 0 {
			c.Requests = uint64(cfg.Requests)
		}
	}
	out, err := load.Run(ctx, c, l.doer, l.rec)
	l.outcome = out
	return err
}

func (l *lane) schedule(d time.Duration, seed uint64) (pace.Schedule, error) {
	if l.cfg.Due != nil {
		return pace.NewOffsets(l.cfg.Due), nil
	}
	count := l.cfg.Requests
	if d > 0 {
		count = int(l.cfg.Rate*d.Seconds() + 0.5)
	}
	return pace.New(l.cfg.Arrival, l.cfg.Rate, max(count, 1), seed)
}

// tick closes an interval of the series.
func (l *lane) tick(now time.Time) *measure.Tally {
	t := l.rec.TakeInterval()
	sum := t.Sum()
	p := report.Point{
		T: seconds(now.Sub(l.start)), OK: sum.Count - sum.Failed, Err: sum.Failed, NotSent: t.NotSent,
		Hits: sum.Hits, Misses: sum.Misses,
		P50: report.Ms(measure.At(t.Response, 50)), P99: report.Ms(measure.At(t.Response, 99)),
		P999: report.Ms(measure.At(t.Response, 99.9)), Max: report.Ms(measure.Max(t.Response)),
	}
	for _, s := range t.Servers {
		p.Servers = append(p.Servers, s.Count-s.Failed)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.Sent, l.sent = t.Sent-l.sent, t.Sent
	l.series = append(l.series, p)
	return t
}

func (l *lane) status() LaneStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := LaneStatus{Client: l.name, Series: l.series, Events: l.events, States: append([]string(nil), l.states...)}
	if n := len(l.series); n > 0 {
		s.Last = l.series[n-1]
	}
	for _, p := range l.series {
		s.Total.Sent += p.Sent
		s.Total.OK += p.OK
		s.Total.Failed += p.Err + p.NotSent
		s.Total.Hits += p.Hits
		s.Total.Misses += p.Misses
	}
	return s
}
