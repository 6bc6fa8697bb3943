package bench

import (
	"io"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/fault"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/trace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Config describes a run. Every field is set by the caller.
type Config struct {
	Command string
	Fleet   *Fleet
	Clients []string // names that target.New knows; each gets the whole load

	Conns   int           // idle connections per server of clients with a free pool
	Pool    int           // connections per server of clients with a bounded pool
	Timeout time.Duration // of one call

	Workload workload.Config
	Verify   bool
	FillMiss bool

	Rate        float64 // requests per second; 0 is a closed loop
	Arrival     pace.Arrival
	Duration    time.Duration
	Requests    int // instead of Duration, if above 0
	MaxInFlight int // of an open loop
	Workers     int // of a closed loop

	Trace *trace.Trace    // requests of a trace instead of Workload, or nil
	Due   []time.Duration // when they are due, instead of Rate and Arrival; nil: closed loop

	NoLoad bool
	Warmup time.Duration

	Percentiles []float64
	Thresholds  []report.Threshold
	Interval    time.Duration
	CrossCheck  bool // compare with the servers' own counters
	Fault       *FaultPlan
	OtherQPS    float64 // with a fault: rate of all servers but the victim; negative: their share

	View View
	HDR  io.Writer // interval histograms go here as they come; may be nil
}

// open tells whether due times are fixed beforehand.
func (c *Config) open() bool { return c.Rate > 0 || c.Due != nil }

// FaultPlan breaks one server for a while.
type FaultPlan struct {
	Kind    string
	Victim  int           // number of the server
	At, For time.Duration // from the start of the run
	Breaker fault.Breaker
}

// View shows a run while it goes on. Its methods are called by one goroutine at a time.
type View interface {
	// Note prints a line that stays.
	Note(line string)
	// Progress shows how far a stage is that has no load to show.
	Progress(stage string, done, total int)
	// Tick shows the newest interval.
	Tick(s Status)
	// Done takes the live view away.
	Done()
}

// Status is what a view shows of a run.
type Status struct {
	Elapsed, Length time.Duration // Length 0: unknown
	Warming         bool
	Config          *report.Config
	Servers         []report.Server // as configured
	Lanes           []LaneStatus
}

// LaneStatus is one client's part of a Status.
type LaneStatus struct {
	Client string
	Last   report.Point
	Total  report.Totals
	Series []report.Point
	Events []report.Event
	States []string // per server, as the client or the fault plan sees it
}
