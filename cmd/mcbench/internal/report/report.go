// Package report holds the result of a run and writes it for people and programs: text,
// JSON, CSV and one HTML file.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// SchemaVersion is the number in the field "version" of the JSON; it grows when a field
// changes its meaning or goes.
const SchemaVersion = 1

// Report is the result of one client under one load. Its JSON form is documented in
// docs/mcbench.md; times are milliseconds, or seconds from the start of the run in t.
type Report struct {
	Version     int                           `json:"version"`
	Command     string                        `json:"command"`
	Client      string                        `json:"client"`
	Started     time.Time                     `json:"started"`
	Config      Config                        `json:"config"`
	Env         Env                           `json:"env"`
	Totals      Totals                        `json:"totals"`
	Ops         map[string]Op                 `json:"ops"`
	Percentiles map[string]map[string]float64 `json:"percentiles"` // response, ok, service, lag; key is the percent
	Series      []Point                       `json:"series"`
	Servers     []Server                      `json:"servers"`
	Events      []Event                       `json:"events"`
	Errors      map[string]int64              `json:"errors"`
	Checks      map[string]Check              `json:"checks"`
	Thresholds  []ThresholdResult             `json:"thresholds"`
	Fault       *Fault                        `json:"fault,omitempty"`
	Others      []*Report                     `json:"others,omitempty"` // other clients under the same load
	Interrupted bool                          `json:"interrupted,omitempty"`

	// Shown are the percentiles that were asked for; Percentiles holds more. Empty: all.
	Shown []float64 `json:"-"`
	// Response is the histogram behind the percentiles, for the curve of the HTML report.
	Response *hdrhistogram.Histogram `json:"-"`
}

// Config is what was asked for.
type Config struct {
	Servers     []string `json:"servers"`
	Embedded    bool     `json:"embedded"`
	Loop        string   `json:"loop"` // open or closed
	Rate        float64  `json:"rate"` // offered requests per second; 0 in a closed loop
	Arrival     string   `json:"arrival,omitempty"`
	DurationS   float64  `json:"duration_s"`
	Requests    int      `json:"requests,omitempty"`
	Connections int      `json:"connections"`
	Workers     int      `json:"workers,omitempty"` // of a closed loop
	MaxInFlight int      `json:"max_inflight,omitempty"`
	TimeoutMS   float64  `json:"timeout_ms"`
	Workload    string   `json:"workload"`
	Keys        int      `json:"keys"`
	Seed        uint64   `json:"seed"`
	Verify      bool     `json:"verify"`
}

// Env is where the run took place.
type Env struct {
	CPUs       int     `json:"cpus"`
	Load1      float64 `json:"load1"` // load average before the run
	Go         string  `json:"go"`
	Kernel     string  `json:"kernel"`
	LocalLoad  bool    `json:"servers_on_this_machine"`
	CPUSeconds float64 `json:"cpu_seconds"` // used by mcbench, embedded servers included
	GCPauses   int     `json:"gc_pauses"`
	GCPauseMS  float64 `json:"gc_pause_ms"`
}

// Totals counts requests.
type Totals struct {
	Offered    int64   `json:"offered"`  // due within the run
	Sent       int64   `json:"sent"`     // fills included
	NotSent    int64   `json:"not_sent"` // due while max_inflight was reached; failed
	Unfinished int64   `json:"unfinished"`
	OK         int64   `json:"ok"`
	Failed     int64   `json:"failed"` // errors, not sent and unfinished
	Hits       int64   `json:"hits"`
	Misses     int64   `json:"misses"`
	Stale      int64   `json:"stale"` // verification: older than a confirmed write
	Wrong      int64   `json:"wrong"` // verification: not a value of this key
	ElapsedS   float64 `json:"elapsed_s"`
	OfferedPS  float64 `json:"offered_per_s"`
	DonePS     float64 `json:"completed_per_s"`
	MaxMS      float64 `json:"max_ms"`
}

// Op is the part of one operation.
type Op struct {
	Count   int64              `json:"count"`
	Failed  int64              `json:"failed"`
	Hits    int64              `json:"hits"`
	Misses  int64              `json:"misses"`
	Refused int64              `json:"refused"` // not stored, or conflict
	MS      map[string]float64 `json:"response_ms"`
	MaxMS   float64            `json:"max_ms"`
}

// Point is one interval of the series; T is its end.
type Point struct {
	T       float64 `json:"t"`
	Sent    int64   `json:"sent"`
	OK      int64   `json:"ok"`
	Err     int64   `json:"err"`
	NotSent int64   `json:"not_sent"`
	Hits    int64   `json:"hits"`
	Misses  int64   `json:"misses"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	P999    float64 `json:"p999"`
	Max     float64 `json:"max"`
	Servers []int64 `json:"servers"` // requests that succeeded, per home server
}

// Server is the part of one server. Requests go by the key's home on the ring; Counted is
// what the server's own stats say.
type Server struct {
	Name     string  `json:"name"`
	Weight   int     `json:"weight"`
	Ideal    float64 `json:"ideal_share"` // by weight
	Ring     float64 `json:"ring_share"`  // of the key space, by the ring's points
	Requests int64   `json:"requests"`
	Failed   int64   `json:"failed"`
	Hits     int64   `json:"hits"`
	Misses   int64   `json:"misses"`
	Counted  *int64  `json:"counted,omitempty"`
	State    string  `json:"state"`
}

// Event is something that happened to a server, or a fault that was made.
type Event struct {
	T      float64 `json:"t"`
	Server string  `json:"server"`
	What   string  `json:"what"`
}

// Check is one of mcbench's checks of itself.
type Check struct {
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// Fault is the outage of a failover run and what it did to this client. Times are seconds
// from the start of the run; nil means that it never happened.
type Fault struct {
	Kind      string   `json:"kind"`
	Server    string   `json:"server"`
	At        float64  `json:"at"`
	Until     float64  `json:"until"`
	Detect    *float64 `json:"detect,omitempty"`
	Eject     *float64 `json:"eject,omitempty"`
	FirstFail *float64 `json:"first_failed,omitempty"`
	LastFail  *float64 `json:"last_failed,omitempty"`
	Back      *float64 `json:"back,omitempty"` // the victim's keys are served by the victim again
	WorstMS   float64  `json:"worst_ms"`
}

// Ms turns a duration into milliseconds with the precision that is worth reading.
func Ms(d time.Duration) float64 {
	return float64(d.Round(100*time.Nanosecond)) / float64(time.Millisecond)
}

// WriteJSON writes the report as indented JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadJSON reads a saved report and refuses one of another schema.
func ReadJSON(rd io.Reader) (*Report, error) {
	r := &Report{}
	if err := json.NewDecoder(rd).Decode(r); err != nil {
		return nil, fmt.Errorf("no mcbench report: %w", err)
	}
	if r.Version != SchemaVersion {
		return nil, fmt.Errorf("schema version %d, this mcbench reads %d", r.Version, SchemaVersion)
	}
	return r, nil
}
