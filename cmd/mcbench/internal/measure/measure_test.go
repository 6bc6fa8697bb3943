package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Percentiles of the merged histogram against the sorted samples: within 0.1 %.
func TestPercentilesAgreeWithSortedSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		r := NewRecorder(4, 1)
		var all []time.Duration
		spread := 1 + 3*rng.Float64()
		for i := range 20_000 {
			d := time.Duration(float64(2*time.Millisecond) * math.Exp(spread*rng.NormFloat64()))
			d = min(max(d, 600*time.Microsecond), 50*time.Second)
			all = append(all, d)
			r.Record(i, &Sample{Op: workload.Op(i % 2), Due: time.Second, Done: time.Second + d})
		}
		slices.Sort(all)
		h := r.Total().Response
		for _, p := range []float64{1, 50, 90, 99, 99.9, 99.99, 100} {
			want := all[int(math.Ceil(p*200-1e-6))-1] // 1e-6: 99.9*200 is a hair above 19,980
			got := At(h, p)
			if diff := math.Abs(float64(got-want)) / float64(want); diff > 0.001 {
				t.Errorf("p%v = %v, sorted samples say %v (%.3f %% off)", p, got, want, 100*diff)
			}
		}
	}
}

func TestFailuresCountApartAndInTheLatency(t *testing.T) {
	r := NewRecorder(2, 3)
	for i := range 90 {
		r.Record(i, &Sample{Op: workload.Get, Server: i % 2, Done: time.Millisecond, Hits: 1})
	}
	for i := range 10 {
		r.Record(i, &Sample{Op: workload.Get, Server: 2, Done: 200 * time.Millisecond, Err: context.DeadlineExceeded})
	}
	total := r.Total()
	sum := total.Sum()
	if sum.Count != 100 || sum.Failed != 10 || sum.Hits != 90 || total.Errors["timeout"] != 10 {
		t.Errorf("%+v, errors %v", sum, total.Errors)
	}
	if total.Servers[2] != (ServerTally{Count: 10, Failed: 10}) {
		t.Errorf("server 2: %+v", total.Servers[2])
	}
	if p99 := At(total.Response, 99); p99 < 199*time.Millisecond {
		t.Errorf("p99 of all = %v: the failures are left out", p99)
	}
	ok := total.OKResponse()
	if ok.TotalCount() != 90 || At(ok, 100) > 2*time.Millisecond {
		t.Errorf("ok only: %d requests, max %v", ok.TotalCount(), At(ok, 100))
	}
	if total.LastError != 200*time.Millisecond {
		t.Errorf("last error at %v", total.LastError)
	}
}

func TestIntervalsAddUpToTheTotal(t *testing.T) {
	r := NewRecorder(3, 1)
	seen, failed := int64(0), int64(0)
	for round := range 5 {
		for i := range 100 * (round + 1) {
			s := &Sample{Done: time.Duration(i) * time.Millisecond}
			if i%10 == 0 {
				s.Err = io.EOF
			}
			r.Record(i, s)
		}
		interval := r.TakeInterval()
		seen += interval.Response.TotalCount()
		failed += interval.Sum().Failed
	}
	total := r.Total()
	if seen != 1500 || failed != 150 || total.Response.TotalCount() != 1500 || total.Sum().Failed != 150 {
		t.Errorf("intervals saw %d (%d failed), the total %d", seen, failed, total.Response.TotalCount())
	}
}

func TestOutOfRangeSamplesAreKept(t *testing.T) {
	r := NewRecorder(1, 1)
	for _, d := range []time.Duration{-time.Second, 0, time.Nanosecond, time.Hour} {
		r.Record(0, &Sample{Done: d})
	}
	if n := r.Total().Response.TotalCount(); n != 4 {
		t.Errorf("%d of 4 samples kept", n)
	}
}

func TestErrorsAreNamedWithoutAddresses(t *testing.T) {
	for want, err := range map[string]error{
		"timeout":            fmt.Errorf("read 127.0.0.1:1: %w", os.ErrDeadlineExceeded),
		"connection refused": &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"connection reset":   &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"connection closed":  fmt.Errorf("reply: %w", io.ErrUnexpectedEOF),
		"cancelled":          context.Canceled,
		"server busy":        fmt.Errorf("get x: %w", errors.New("server busy")),
	} {
		if got := Classify(err); got != want {
			t.Errorf("Classify(%v) = %q, want %q", err, got, want)
		}
	}
}

func TestTheErrorTableIsBounded(t *testing.T) {
	r := NewRecorder(1, 1)
	for i := range 1000 {
		r.Record(0, &Sample{Err: fmt.Errorf("error number %d", i)})
	}
	if n := len(r.Total().Errors); n > maxClasses+1 {
		t.Errorf("%d classes", n)
	}
}
