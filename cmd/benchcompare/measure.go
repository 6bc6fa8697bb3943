package main

import (
	"context"
	"fmt"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
)

// result is what one side did in one slice.
type result struct {
	ops    int64
	took   time.Duration
	client time.Duration // processor time of this process
	server time.Duration // and of the servers
	times  *hdrhistogram.Histogram
}

func (r *result) add(o result) {
	r.ops += o.ops
	r.took += o.took
	r.client += o.client
	r.server += o.server
	r.times.Merge(o.times)
}

func (r result) rate() float64        { return float64(r.ops) / r.took.Seconds() }
func (r result) p99() float64         { return float64(r.times.ValueAtQuantile(99)) }
func (r result) clientPerOp() float64 { return float64(r.client) / float64(r.ops) }
func (r result) serverPerOp() float64 { return float64(r.server) / float64(r.ops) }

// newTimes has two digits only: a histogram for each of many goroutines must stay in
// the processor's cache, or it costs more than the operations that it counts.
func newTimes() *hdrhistogram.Histogram { return hdrhistogram.New(100, int64(10*time.Second), 2) }

// measure prints one line of the table.
func measure(f *fleet, w work, goroutines, rounds int, slice time.Duration) error {
	gomem, rb, err := w.sides(f, goroutines)
	if err != nil {
		return err
	}
	defer rb.Close()
	defer gomem.Close()
	a := func(d time.Duration) (result, error) {
		if w.ceiling != noCeiling {
			return blast(f, w.ceiling, goroutines, d)
		}
		return w.slice(f, goroutines, d, func(i int) func() error { return w.gomemcache(gomem, i) })
	}
	b := func(d time.Duration) (result, error) {
		return w.slice(f, goroutines, d, func(i int) func() error { return w.ringbeat(rb, i) })
	}
	var cells [3][]float64
	var last result
	for round := -1; round < rounds; round++ {
		d := slice
		if round < 0 {
			d = slice / 4 // warm-up, thrown away
		}
		ra, rb := result{times: newTimes()}, result{times: newTimes()}
		for _, step := range []struct {
			run func(time.Duration) (result, error)
			to  *result
		}{{a, &ra}, {b, &rb}, {b, &rb}, {a, &ra}} {
			runtime.GC() // neither side pays for the other's garbage
			r, err := step.run(d)
			if err != nil {
				return err
			}
			step.to.add(r)
		}
		if round < 0 {
			continue
		}
		cells[0] = append(cells[0], rb.rate()/ra.rate())
		cells[1] = append(cells[1], rb.p99()/ra.p99())
		cells[2] = append(cells[2], rb.clientPerOp()/ra.clientPerOp())
		last = rb
	}
	fmt.Printf("%-26s %5d  %-22s %-22s %-22s %9.0f %9.2f %8.2f\n", w.name, goroutines,
		interval(cells[0]), w.without(1, interval(cells[1])), w.without(1, interval(cells[2])),
		last.rate(), last.clientPerOp()/1e3, last.serverPerOp()/1e3)
	return nil
}

// without blanks a cell that means nothing for the ceiling: the blaster's latency
// is that of whole batches.
func (w work) without(_ int, cell string) string {
	if w.ceiling != noCeiling {
		return "-"
	}
	return cell
}

// interval formats the median with the range of the rounds.
func interval(v []float64) string {
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	return fmt.Sprintf("%6.2f [%.2f .. %.2f]", s[len(s)/2], s[0], s[len(s)-1])
}

// slice runs one side for d.
func (w work) slice(f *fleet, goroutines int, d time.Duration, side func(i int) func() error) (result, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	times := make([]*hdrhistogram.Histogram, goroutines)
	for i := range times {
		times[i] = newTimes()
	}
	var ops atomic.Int64
	var stop atomic.Bool
	client, server := selfCPU(), f.cpu()
	start := time.Now()
	due := make(chan time.Time, maxBehind)
	if w.rate > 0 {
		wg.Go(func() { dispatch(start, d, w.rate, due) })
	}
	for i := range goroutines {
		op := side(i)
		wg.Go(func() {
			var n int64
			var err error
			if w.rate > 0 {
				n, err = dueLoop(due, op, times[i])
			} else {
				n, err = closedLoop(i, &stop, op, times[i])
			}
			if err != nil {
				failed.Store(&err)
			}
			ops.Add(n)
		})
	}
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	wg.Wait()
	r := result{ops: ops.Load(), took: time.Since(start), client: selfCPU() - client, server: f.cpu() - server, times: newTimes()}
	for _, t := range times {
		r.times.Merge(t)
	}
	if err := failed.Load(); err != nil {
		return r, *err
	}
	return r, nil
}

// closedLoop times one operation of each few, beginning with the one that its index
// says: two looks at the clock and a record take a fifth of the time of a fast
// operation, and what a table of ratios must not do is to slow the faster side down
// by more than the slower one.
func closedLoop(i int, stop *atomic.Bool, op func() error, times *hdrhistogram.Histogram) (ops int64, err error) {
	for n := i; !stop.Load(); n++ {
		ops++
		if n%timeEach != 0 {
			if err := op(); err != nil {
				return ops, err
			}
			continue
		}
		begin := time.Now()
		if err := op(); err != nil {
			return ops, err
		}
		_ = times.RecordValue(int64(time.Since(begin)))
	}
	return ops, nil
}

// pacePause is how long the pacer rests at least: it shares the processors with both
// sides, and to wake for each request would take most of them.
const pacePause = 200 * time.Microsecond

// maxBehind is how many requests of an open loop may be due and not sent.
const maxBehind = 10_000

// timeEach is how many operations there are to one that is timed.
const timeEach = 4

// dispatch hands out the due times of an open loop, each when it has come.
func dispatch(start time.Time, d time.Duration, rate float64, due chan<- time.Time) {
	defer close(due)
	timer := pace.NewPrecise()
	defer func() { _ = timer.Close() }()
	for n := 1; ; n++ {
		at := start.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if at.Sub(start) > d {
			return
		}
		if time.Until(at) > 0 {
			timer.Wait(context.Background(), at.Add(pacePause))
		}
		due <- at
	}
}

// dueLoop measures from the due time, whenever it could send.
func dueLoop(due <-chan time.Time, op func() error, times *hdrhistogram.Histogram) (ops int64, err error) {
	for at := range due {
		ops++
		if err == nil {
			err = op()
		}
		_ = times.RecordValue(int64(time.Since(at)))
	}
	return ops, err
}

func selfCPU() time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
