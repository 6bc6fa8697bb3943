package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/inspect"
)

func TestRingIsAPureComputation(t *testing.T) {
	o := mcbench(t, "ring", "-s", "a=2,b,c", "--keys", "20k", "--remove", "b", "--json")
	o.want(t, 0)
	var r ringResult
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Keys != 20_000 || r.Change.Moved != r.Servers[1].Keys || r.Change.Stray != 0 || r.Change.Moved != r.Change.Minimum {
		t.Errorf("%+v %+v", r, r.Change)
	}
	if again := mcbench(t, "ring", "-s", "a=2,b,c", "--keys", "20k", "--remove", "b", "--json"); again.stdout != o.stdout {
		t.Error("two runs differ")
	}
	mcbench(t, "ring", "-s", "a,b", "--add", "c", "--keys", "1k").want(t, 0, "keys move", "0 between servers that stay")
}

func TestRingReadsATrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("one\ntwo\n\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mcbench(t, "ring", "-s", "a,b", "--trace", path).want(t, 0, "3 keys on the ring")
	mcbench(t, "ring", "-s", "a,b", "--trace", path+"x").want(t, exitFailed, "no such file")
}

func TestDoctorGivesAVerdict(t *testing.T) {
	t.Parallel()
	mcbench(t, "doctor").want(t, 0, "own cost", "wake-up lateness", "loopback", "trust")
}

func TestCompareGivesRatios(t *testing.T) {
	t.Parallel()
	o := mcbench(t, "compare", "--keys", "500", "--warmup", "0s", "-r", "max", "-c", "4", "-d", "600ms", "--slice", "50ms")
	o.want(t, 0, "6 slices of 0.05 s each", "throughput", "95 % interval", "CPU")
	mcbench(t, "compare", "-d", "200ms").want(t, exitFailed, "-d must be at least")
}

func TestDiffRefusesDifferentSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, rate := range map[string]string{"a": "1k", "b": "1k", "c": "2k"} {
		mcbench(t, quick("-q", "-r", rate, "--json", filepath.Join(dir, name))...).want(t, 0)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	mcbench(t, "diff", path("a"), path("b")).want(t, 0, "p99 ms, from due", "completed /s", "ratio")
	mcbench(t, "diff", path("a"), path("c")).want(t, exitUsage, "rate: 1000 and 2000")
	mcbench(t, "diff", "--force", path("a"), path("c")).want(t, 0, "settings differ", "ratio")
	if err := os.WriteFile(path("x"), []byte(`{"version":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	mcbench(t, "diff", path("a"), path("x")).want(t, exitFailed, "schema version 99")
}

func TestReplayFollowsTheTrace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "trace.csv")
	trace := "0,nz:u:one,10,0,1,get,0\n" + // a miss, filled with the size that the set tells
		"0,nz:u:two,10,50,1,set,60\n0,k,with,commas,12,30,2,set,0\n" +
		"1,nz:u:two,10,50,1,get,0\n1,nz:u:one,10,70,1,gets,0\n1,nz:u:two,10,0,1,delete,0\n" +
		"1,count,5,3,1,set,0\n1,count,5,3,1,incr,0\n"
	if err := os.WriteFile(path, []byte(trace), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, speed := range []string{"4x", "max"} {
		o := mcbench(t, "replay", path, "--speed", speed, "-c", "1", "--timeout", "5s")
		o.want(t, 0, "8 requests", "0 failed", "equal to ours", "delete", "incr", "fill")
	}
	mcbench(t, "replay", path, "--speed", "0x").want(t, exitUsage, "want 10x or max")
	if err := os.WriteFile(path, []byte("0,key,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mcbench(t, "replay", path).want(t, exitFailed, "line 1", "want 7")
}

func TestServeObeysFaults(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	port := freePorts(t, 3)
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", port+i) }
	faultPort := fmt.Sprint(port + 2)
	served := make(chan outcome, 1)
	go func() {
		served <- mcbenchIn(ctx, nil, "serve", "--n", "2", "--port", fmt.Sprint(port), "--fault-port", faultPort)
	}()
	eventually(t, func() bool { _, err := inspect.Version(at(1), time.Second); return err == nil })
	mcbench(t, "fault", "kill", "1", "--fault-port", faultPort).want(t, 0, "server 1: kill")
	if _, err := inspect.Version(at(1), time.Second); err == nil {
		t.Error("the killed server answers")
	}
	if _, err := inspect.Version(at(0), time.Second); err != nil {
		t.Errorf("the other server: %v", err)
	}
	mcbench(t, "fault", "heal", "1", "--fault-port", faultPort).want(t, 0)
	if _, err := inspect.Version(at(1), time.Second); err != nil {
		t.Errorf("after the heal: %v", err)
	}
	mcbench(t, "fault", "kill", "7", "--fault-port", faultPort).want(t, exitFailed, "count from 0 to 1")
	mcbench(t, "fault", "explode", "0", "--fault-port", faultPort).want(t, exitUsage, "kill, hang")
	cancel()
	(<-served).want(t, 0, at(0), at(1))
	mcbench(t, "fault", "kill", "1", "--fault-port", faultPort).want(t, exitFailed, "is mcbench serve running?")
}

// freePorts returns the first of n neighbouring ports that nobody uses.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		first := 23000 + rand.IntN(9000)
		free := true
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+i))
			if free = free && err == nil; err == nil {
				l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for range 500 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("did not come true in 5 s")
}

func TestFindNamesTheKnee(t *testing.T) {
	t.Parallel()
	o := mcbench(t, "find", "--slo", "p99<10s", "--keys", "500", "--from", "200", "--to", "300", "--step", "300ms", "--timeout", "5s", "--json", "-")
	o.want(t, 0, "holds up to --to 300/s")
	var result struct {
		Knee  float64 `json:"knee"`
		Steps []step  `json:"steps"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &result); err != nil || result.Knee != 300 || len(result.Steps) != 2 {
		t.Errorf("%v %+v\n%s", err, result, o.stdout)
	}
	mcbench(t, "find").want(t, exitUsage, "--slo")
}

// The search must end near the knee, wherever that is.
func TestSearchClosesInOnTheKnee(t *testing.T) {
	for _, knee := range []float64{3, 990, 1000, 7777, 123_456, 999_999} {
		s := &search{rate: 1000, precision: 1.05, most: 1e6}
		steps := 1
		for s.next(s.rate <= knee) {
			if steps++; steps > 60 {
				t.Fatalf("knee %v: no end", knee)
			}
		}
		if s.good > knee || s.bad <= knee || s.bad > 1.06*s.good {
			t.Errorf("knee %v: found %v .. %v in %d steps", knee, s.good, s.bad, steps)
		}
	}
	s := &search{rate: 1000, precision: 1.05, most: 5000}
	for s.next(true) {
	}
	if s.good != 5000 {
		t.Errorf("an endless server: %v, want --to", s.good)
	}
}
