package load

import (
	"runtime"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/cmd/internal/pace"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// null answers every request at once and for nothing.
type null struct{ value []byte }

func (n null) Get(_ string, dst []byte) ([]byte, error) { return append(dst, n.value...), nil }
func (n null) GetMulti(keys []string, visit func(int, []byte)) error {
	for i := range keys {
		visit(i, n.value)
	}
	return nil
}
func (null) Set(string, []byte, int32) error          { return nil }
func (null) Add(string, []byte, int32) error          { return nil }
func (null) Delete(string) error                      { return nil }
func (null) Increment(string, uint64) (uint64, error) { return 1, nil }
func (null) Touch(string, int32) error                { return nil }
func (null) Swap(string, []byte, int32) error         { return nil }
func (null) Close() error                             { return nil }

func nullSession(tb testing.TB, mix string) *Session {
	tb.Helper()
	m, err := workload.ParseMix(mix)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := workload.New(workload.Config{
		Seed: 1, Keys: 10_000, Prefix: "k", Law: "zipf:0.99", Mix: m, Size: "100", MGet: 5, TTL: "0", HitRatio: 1,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return &Session{
		Workload: w, Values: workload.NewValues(1), Ledger: workload.NewLedger(10_000),
		Client: null{make([]byte, 100)}, Homes: make([]uint16, w.Keys.Total()),
	}
}

// What a run allocates must not grow with its requests.
func TestARequestAllocatesNothing(t *testing.T) {
	session := nullSession(t, "get=80,set=5,add=2,delete=3,incr=2,touch=2,mget=3,cas=3")
	rec := measure.NewRecorder(2, 1)
	for name, config := range map[string]func(n int) Config{
		"closed": func(n int) Config { return Config{Workers: 2, Requests: uint64(n)} },
		"open": func(n int) Config {
			return Config{Schedule: pace.NewOffsets(make([]time.Duration, n)), MaxInFlight: startWorkers}
		},
	} {
		allocs := func(n int) float64 {
			return testing.AllocsPerRun(3, func() {
				if _, err := Run(t.Context(), config(n), session, rec); err != nil {
					t.Fatal(err)
				}
			})
		}
		few, many := allocs(2_000), allocs(22_000)
		if perRequest := (many - few) / 20_000; perRequest > 0.005 {
			t.Errorf("%s loop: %.4f allocations per request, want 0", name, perRequest)
		}
	}
}

// BenchmarkOwnCost is the generator's whole share of a request: plan, hand-over, drawing,
// value, clock, recording. The client costs nothing here.
func BenchmarkOwnCost(b *testing.B) {
	b.Run("closed", func(b *testing.B) {
		benchmarkCost(b, Config{Workers: runtime.GOMAXPROCS(0), Requests: uint64(b.N)})
	})
	b.Run("open", func(b *testing.B) {
		benchmarkCost(b, Config{Schedule: pace.NewOffsets(make([]time.Duration, b.N)), MaxInFlight: 64})
	})
}

func benchmarkCost(b *testing.B, c Config) {
	session := nullSession(b, "get=90,set=10")
	session.Ledger = nil
	rec := measure.NewRecorder(2*runtime.GOMAXPROCS(0), 1)
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := Run(b.Context(), c, session, rec); err != nil {
		b.Fatal(err)
	}
}
