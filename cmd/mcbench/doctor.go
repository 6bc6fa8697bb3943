package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// doctorCmd is mcbench doctor.
type doctorCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is printed below the flags' headline.
func (*doctorCmd) Help() string {
	return `Takes three seconds and connects to nothing but itself. Run it where you will run
the load, at the same time of day, before you believe a percentile.`
}

// findings is what the doctor measured; times in microseconds unless they say otherwise.
type findings struct {
	Env         report.Env `json:"env"`
	ClockNS     float64    `json:"clock_ns"` // cost of reading the clock
	OwnNS       float64    `json:"own_cost_ns"`
	WakeP50     float64    `json:"wake_p50_us"` // lateness of the pacer
	WakeP99     float64    `json:"wake_p99_us"`
	WakeMax     float64    `json:"wake_max_us"`
	TimerP50    float64    `json:"runtime_timer_p50_us"` // of an ordinary Go timer, for comparison
	LoopbackP50 float64    `json:"loopback_p50_us"`      // round trip of 64 bytes over TCP
	LoopbackP99 float64    `json:"loopback_p99_us"`
	MaxRate     float64    `json:"max_rate"`           // open loop, without a client, on all cores
	TrustMS     float64    `json:"trust_above_ms"`     // latencies below this are partly our own
	TrustRate   float64    `json:"trust_rate_up_to"`   // the generator is then no bottleneck
	Crowded     bool       `json:"machine_is_crowded"` // others use the cores, too
}

// Run examines this machine.
func (c *doctorCmd) Run(a *app) error {
	f := &findings{Env: bench.Environment()}
	f.ClockNS = clockCost()
	precise := pace.NewPrecise()
	defer precise.Close()
	wake := lateness(a.ctx, precise, time.Second)
	coarse := lateness(a.ctx, pace.NewTimer(), 500*time.Millisecond)
	loop, err := loopback(a.ctx, 500*time.Millisecond)
	if err != nil {
		return err
	}
	if f.OwnNS, err = ownCost(a.ctx, 500*time.Millisecond); err != nil {
		return err
	}
	if a.ctx.Err() != nil {
		return a.ctx.Err()
	}
	us := func(t *measure.Tally, p float64) float64 { return 1000 * report.Ms(measure.At(t.Lag, p)) }
	f.WakeP50, f.WakeP99, f.WakeMax = us(wake, 50), us(wake, 99), us(wake, 100)
	f.TimerP50 = us(coarse, 50)
	f.LoopbackP50, f.LoopbackP99 = us(loop, 50), us(loop, 99)
	f.judge()
	if c.JSON {
		return writeJSON(a.stdout, f)
	}
	f.write(a.stdout)
	return nil
}

// judge draws the conclusions: a latency is trusted from ten times our own lateness on, a
// rate up to a third of what the generator manages without a client.
func (f *findings) judge() {
	f.MaxRate = 1e9 / f.OwnNS
	f.TrustMS = 10 * f.WakeP99 / 1000
	f.TrustRate = f.MaxRate / 3
	f.Crowded = f.Env.Load1 > 0.7*float64(f.Env.CPUs)
}

func clockCost() float64 {
	const n = 1_000_000
	start := time.Now()
	var last time.Duration
	for range n {
		last = time.Since(start)
	}
	return float64(last.Nanoseconds()) / n
}

// lateness wakes every millisecond or so and notes how late.
func lateness(ctx context.Context, w pace.Waiter, length time.Duration) *measure.Tally {
	rec := measure.NewRecorder(1, 1)
	end := time.Now().Add(length)
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; now = time.Now() {
		due := now.Add(937 * time.Microsecond)
		w.Wait(ctx, due)
		rec.Lag(0, time.Since(due))
	}
	return rec.Total()
}

// loopback plays ping-pong over a TCP connection within this process.
func loopback(ctx context.Context, length time.Duration) (*measure.Tally, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	go echo(l)
	nc, err := net.DialTimeout("tcp", l.Addr().String(), time.Second)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(length + 5*time.Second)); err != nil {
		return nil, err
	}
	rec := measure.NewRecorder(1, 1)
	ball, end := make([]byte, 64), time.Now().Add(length)
	for start := time.Now(); start.Before(end) && ctx.Err() == nil; start = time.Now() {
		if _, err := nc.Write(ball); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(nc, ball); err != nil {
			return nil, err
		}
		rec.Lag(0, time.Since(start))
	}
	return rec.Total(), nil
}

// echo sends back what comes over one connection, until either side closes.
func echo(l net.Listener) {
	nc, err := l.Accept()
	if err != nil {
		return
	}
	defer nc.Close()
	io.Copy(nc, nc) // its error is the end of the game
}

// ownCost is the generator's time per request with a client that does nothing, in
// nanoseconds.
func ownCost(ctx context.Context, length time.Duration) (float64, error) {
	plan := pace.NewOffsets(make([]time.Duration, 50_000_000))
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	rec := measure.NewRecorder(2*runtime.GOMAXPROCS(0), 1)
	out, err := load.Run(ctx, load.Config{Schedule: plan, MaxInFlight: 64, Grace: time.Second}, idle{}, rec)
	if err != nil || out.Slots == 0 {
		return 0, fmt.Errorf("own cost: %d requests, %w", out.Slots, err)
	}
	return float64(out.Sending.Nanoseconds()) / float64(out.Slots), nil
}

// idle answers at once.
type idle struct{}

func (idle) Do(uint64, *load.Scratch, *measure.Sample) bool { return false }
func (idle) Follow(*load.Scratch, *measure.Sample)          {}

func (f *findings) write(w io.Writer) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-18s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("machine", "%d cores, load average %.2f, %s, %s", f.Env.CPUs, f.Env.Load1, f.Env.Kernel, f.Env.Go)
	row("clock", "%.0f ns per reading", f.ClockNS)
	row("own cost", "%.0f ns per request, at most %s/s without a client", f.OwnNS, report.Group(int64(f.MaxRate)))
	row("wake-up lateness", "p50 %.0f us, p99 %.0f us, max %.0f us (an ordinary Go timer: p50 %.0f us)", f.WakeP50, f.WakeP99, f.WakeMax, f.TimerP50)
	row("loopback", "round trip p50 %.0f us, p99 %.0f us: no local server can be faster", f.LoopbackP50, f.LoopbackP99)
	fmt.Fprintln(w)
	row("trust", "latencies above %s ms, rates up to %s/s", report.Millis(f.TrustMS), report.Group(int64(f.TrustRate)/1000*1000))
	if f.Crowded {
		row("warning", "the machine is busy with other work: tail percentiles will be its, not the servers'")
	}
	if f.Env.CPUs < 4 {
		row("note", "with %d cores a server on this machine competes with the generator", f.Env.CPUs)
	}
}
