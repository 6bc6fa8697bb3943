package bench

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
	"github.com/ringbeat/ringbeat/ring"
)

// sleepy is a client whose calls take a random time of the fake clock. The mean wanders
// slowly, as a busy machine's does.
type sleepy struct {
	mean  time.Duration
	start time.Time

	mu  sync.Mutex // guards rng
	rng *rand.Rand
}

func (s *sleepy) rest() error {
	s.mu.Lock()
	d := time.Duration(float64(s.mean) * (0.5 + s.rng.ExpFloat64()))
	s.mu.Unlock()
	if int(time.Since(s.start)/(1300*time.Millisecond))%2 == 1 {
		d = d * 5 / 4
	}
	time.Sleep(d)
	return nil
}

func (s *sleepy) Get(_ string, dst []byte) ([]byte, error)   { return dst, s.rest() }
func (s *sleepy) GetMulti([]string, func(int, []byte)) error { return s.rest() }
func (s *sleepy) Set(string, []byte, int32) error            { return s.rest() }
func (s *sleepy) Add(string, []byte, int32) error            { return s.rest() }
func (s *sleepy) Delete(string) error                        { return s.rest() }
func (s *sleepy) Increment(string, uint64) (uint64, error)   { return 0, s.rest() }
func (s *sleepy) Touch(string, int32) error                  { return s.rest() }
func (s *sleepy) Swap(string, []byte, int32) error           { return s.rest() }
func (s *sleepy) Close() error                               { return nil }

type noView struct{}

func (noView) Note(string)               {}
func (noView) Progress(string, int, int) {}
func (noView) Tick(Status)               {}
func (noView) Done()                     {}

// compareFake runs a comparison of two sleepy clients on a fake clock.
func compareFake(t *testing.T, seed uint64, a, b time.Duration) map[string]RatioRow {
	t.Helper()
	rows := map[string]RatioRow{}
	synctest.Test(t, func(t *testing.T) {
		fleet, err := NewFleet([]ring.Server{{Addr: "a:1"}}, ring.Ketama)
		if err != nil {
			t.Fatal(err)
		}
		cfg := &Config{
			Fleet: fleet, Clients: []string{"a", "b"}, Workers: 2, Timeout: time.Second, View: noView{},
			Workload: workload.Config{Seed: seed, Keys: 10, Law: "uniform", Mix: workload.Mix{1}, Size: "10", MGet: 1, TTL: "0", HitRatio: 1},
		}
		run := &bench{cfg: *cfg, conf: describe(cfg)}
		for i, mean := range []time.Duration{a, b} {
			w, err := workload.New(cfg.Workload)
			if err != nil {
				t.Fatal(err)
			}
			client := &sleepy{mean: mean, start: time.Now(), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
			run.lanes = append(run.lanes, &lane{cfg: &run.cfg, doer: &load.Session{Workload: w, Client: client, Values: workload.NewValues(1)}})
		}
		c := &Comparison{Loop: "closed"}
		figures, err := c.slices(t.Context(), run, 5, 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.evaluate(figures, seed); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rows {
			rows[r.Name] = r
		}
	})
	return rows
}

// A against A: of 100 seeded comparisons at least 90 must contain 1.0 in each figure (95
// are expected; below 90 lies less than 2 % of the binomial law).
func TestAAgainstAShowsNoDifference(t *testing.T) {
	held := map[string]int{}
	for seed := range uint64(100) {
		for name, row := range compareFake(t, seed, 20*time.Millisecond, 20*time.Millisecond) {
			if row.Ratio.Contains(1) {
				held[name]++
			}
		}
	}
	for _, name := range []string{"throughput", "p50", "p99"} {
		if held[name] < 90 {
			t.Errorf("%s: %d of 100 intervals contain 1.0", name, held[name])
		}
	}
}

func TestARealDifferenceIsShown(t *testing.T) {
	rows := compareFake(t, 1, 10*time.Millisecond, 12*time.Millisecond)
	for name, want := range map[string]float64{"throughput": 1.2, "p50": 1 / 1.2} {
		r := rows[name].Ratio
		if r.Contains(1) || r.Estimate < 0.9*want || r.Estimate > 1.1*want {
			t.Errorf("%s: %+v, want about %.2f", name, r, want)
		}
	}
}
