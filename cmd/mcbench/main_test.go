package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/inspect"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/mctest"
)

// outcome is what a call of mcbench left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// lockedBuffer may be written by a view and read by a test at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func mcbench(t *testing.T, args ...string) outcome {
	t.Helper()
	return mcbenchIn(t.Context(), nil, args...)
}

func mcbenchIn(ctx context.Context, env map[string]string, args ...string) outcome {
	var stdout, stderr lockedBuffer
	a := &app{ctx: ctx, stop: func() {}, stdout: &stdout, stderr: &stderr, getenv: func(k string) string { return env[k] }}
	code := a.main(args)
	return outcome{code, stdout.String(), stderr.String()}
}

// quick are flags of a run that is over soon.
func quick(args ...string) []string {
	return append([]string{"run", "--keys", "1000", "--warmup", "0s", "-r", "1k", "-d", "500ms", "--timeout", "5s"}, args...)
}

func (o outcome) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", o.code, code, o.stdout, o.stderr)
	}
	all := o.stdout + o.stderr
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("the output lacks %q:\n%s", text, all)
		}
	}
}

// Every wrong flag says what would be right, and the exit code is 2.
func TestMistakesSayWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "-d", "100"}, "did you mean --size 100 or -d 100s?"},
		{[]string{"run", "-d", "soon"}, "such as 500ms or 10s"},
		{[]string{"run", "--timeout", "200"}, "did you mean 200s or 200ms?"},
		{[]string{"run", "-r", "fast"}, "such as 2000, 10k or max"},
		{[]string{"run", "-r", "0.01", "-d", "10s"}, "makes no request"},
		{[]string{"run", "-c", "0"}, "want 1 to 10,000"},
		{[]string{"run", "--dist", "zipf:-1"}, "zipf:0.99"},
		{[]string{"run", "--size", "huge"}, "100, 10-1000"},
		{[]string{"run", "--ratio", "9"}, "such as 1:9"},
		{[]string{"run", "--mix", "put=1"}, "one of get set add delete"},
		{[]string{"run", "--mix", "get=1", "--ratio", "1:9"}, "exclude each other"},
		{[]string{"run", "--preset", "myspace"}, "twitter52"},
		{[]string{"run", "--arrival", "bursty"}, "uniform or poisson"},
		{[]string{"run", "-P", "101"}, "no percentile"},
		{[]string{"run", "--threshold", "p99<1"}, "needs a unit, such as p99<1ms"},
		{[]string{"run", "--threshold", "latency<1ms"}, "such as p99<1ms"},
		{[]string{"run", "--hit-ratio", "2"}, "want 0 to 1"},
		{[]string{"run", "--ttl", "9999999"}, "want seconds"},
		{[]string{"run", "-s", "a,a"}, "a"},
		{[]string{"run", "-s", "h:99999"}, "99999"},
		{[]string{"run", "--hash", "best", "-s", "h"}, "best"},
		{[]string{"run", "--client", "telnet", "-d", "100ms"}, "want one of ringbeat"},
		{[]string{"run", "--sizes", "3"}, "unknown flag"},
		{[]string{"walk"}, "unexpected argument"},
		{[]string{"failover", "--fault", "explode"}, "kill, hang, blackhole"},
		{[]string{"failover", "--fault", "hang:3s"}, "takes no parameter"},
		{[]string{"failover", "-d", "1s", "--at", "4s"}, "would never break"},
		{[]string{"failover", "--victim", "7"}, "count from 0"},
		{[]string{"failover", "--victim-pid", "4711"}, "need real servers"},
		{[]string{"failover", "-s", "127.0.0.1:1"}, "--victim-pid PID or --iptables"},
		{[]string{"compare", "-n", "5"}, "use -d instead of -n"},
		{[]string{"ring"}, "servers"},
		{[]string{"ring", "-s", "a,b", "--remove", "c"}, "c"},
	} {
		o := mcbench(t, c.args...)
		if o.code != exitUsage || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
			t.Errorf("%v: exit code %d\nstdout: %s\nstderr: %s\nwant code 2 and %q on stderr", c.args, o.code, o.stdout, o.stderr, c.want)
		}
	}
}

func TestHelpHasExamples(t *testing.T) {
	mcbench(t, "--help").want(t, 0, "mcbench run -s", "failover", "compare", "ring", "doctor")
	for _, cmd := range []string{"run", "failover", "compare", "ring"} {
		mcbench(t, cmd, "--help").want(t, 0, "Examples:", "mcbench "+cmd)
	}
}

func TestRunOnEmbeddedServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := mcbench(t, quick("--verify", "--mix", "get=70,set=10,add=5,delete=3,incr=3,touch=3,mget=3,cas=3", "--fill",
		"--csv", dir+"/r.csv", "--hdr", dir+"/r.hlog", "--html", dir+"/r.html")...)
	o.want(t, 0, "500 requests", "0 failed", "equal to ours", "0 stale, 0 wrong", "stale==0", "s1", "50.0")
	rows, err := os.ReadFile(dir + "/r.csv")
	if err != nil || !strings.HasPrefix(string(rows), "client,t,sent,ok,err") || strings.Count(string(rows), "\n") < 2 {
		t.Errorf("CSV: %v\n%s", err, rows)
	}
	checkHDR(t, dir+"/r.hlog")
	page, err := os.ReadFile(dir + "/r.html")
	if err != nil || !bytes.Contains(page, []byte("</html>")) {
		t.Errorf("HTML: %v, %d bytes", err, len(page))
	}
}

// The log must open in HdrHistogram's own reader and hold every request.
func checkHDR(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := hdrhistogram.NewHistogramLogReader(bytes.NewReader(b))
	n := int64(0)
	for range 100 {
		h, err := r.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		n += h.TotalCount()
	}
	if n < 500 {
		t.Errorf("the log holds %d requests, want 500 and the fills", n)
	}
}

func TestJSONReadsBackWhole(t *testing.T) {
	o := mcbench(t, quick("--json", "-", "-r", "max", "-n", "2000", "--threshold", "errors<1%")...)
	o.want(t, 0)
	r, err := report.ReadJSON(strings.NewReader(o.stdout))
	if err != nil {
		t.Fatalf("%v\n%s", err, o.stdout)
	}
	if r.Totals.Sent != 2000 || r.Totals.OK != 2000 || r.Config.Loop != "closed" || !r.Checks["cross-check"].OK || !r.Thresholds[0].Pass {
		t.Errorf("%+v\n%+v\n%+v", r.Totals, r.Config, r.Checks)
	}
	if r.Ops["get"].Count+r.Ops["set"].Count != 2000 || len(r.Servers) != 3 || len(r.Series) == 0 {
		t.Errorf("ops %+v, %d servers, %d points", r.Ops, len(r.Servers), len(r.Series))
	}
}

// The fields of the JSON are promised in docs/mcbench.md.
func TestEveryJSONFieldIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "mcbench.md"))
	if err != nil {
		t.Fatal(err)
	}
	o := mcbench(t, "failover", "--keys", "300", "--warmup", "0s", "-d", "300ms", "--at", "100ms", "--for", "100ms", "--json", "-", "--fault", "slow:1ms")
	var tree any
	if err := json.Unmarshal([]byte(o.stdout), &tree); err != nil {
		t.Fatalf("%v\n%s%s", err, o.stdout, o.stderr)
	}
	fields := map[string]bool{}
	collectFields(tree, fields)
	if len(fields) < 60 {
		t.Fatalf("only %d fields found", len(fields))
	}
	for f := range fields {
		if !strings.Contains(string(doc), "`"+f+"`") {
			t.Errorf("docs/mcbench.md does not tell what `%s` is", f)
		}
	}
}

// collectFields walks through objects, but not through maps whose keys are names or numbers.
func collectFields(v any, out map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collectFields(e, out)
		}
	case map[string]any:
		for k, e := range v {
			out[k] = true
			switch k {
			case "percentiles", "response_ms", "errors":
			case "ops", "checks":
				for _, named := range e.(map[string]any) {
					collectFields(named, out)
				}
			default:
				collectFields(e, out)
			}
		}
	}
}

func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestNoServerIsNoResult(t *testing.T) {
	t.Parallel()
	o := mcbench(t, quick("-s", deadAddress(t)+","+deadAddress(t))...)
	o.want(t, exitFailed, "no server answered", "connection refused")
	if o.stdout != "" {
		t.Errorf("a result was printed:\n%s", o.stdout)
	}
}

func TestAnotherProtocolIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\n\r\n")
			nc.Close()
		}
	}()
	mcbench(t, quick("-s", l.Addr().String())...).want(t, exitFailed, "not as a memcached", "HTTP/1.1 400")
}

// Half of the servers are gone from the start: the run goes on, says so first, and does
// not pass for a clean one.
func TestHalfTheServersDownAtTheStart(t *testing.T) {
	t.Parallel()
	live, dead := mctest.Start(t), deadAddress(t)
	servers := "a@" + live.Addr() + ",b@" + dead
	o := mcbench(t, quick("-s", servers, "--client", "gomemcache")...)
	o.want(t, 0, "warning: "+dead+": connection refused", "keys of b could not be stored", "connection refused", "failed (", "[!!]", "DOWN")
	o = mcbench(t, quick("-s", servers, "--client", "gomemcache", "--threshold", "errors<1%")...)
	o.want(t, exitThreshold, "threshold failed: errors<1%")
	o = mcbench(t, quick("-s", servers, "--client", "gomemcache", "--strict")...)
	o.want(t, exitUntrusted, "cross-check")
}

// The server is gone before the run is over: the summary counts what failed.
func TestServerDeadAtTheEnd(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	timer := time.AfterFunc(700*time.Millisecond, func() { s.Kill() })
	defer timer.Stop()
	o := mcbench(t, "run", "-s", s.Addr(), "--keys", "100", "--warmup", "0s", "-r", "500", "-d", "1500ms")
	o.want(t, 0, "750 requests", "failed (", "ejected", "did not tell its counters")
}

// Everything fails from the first measured request on: that is exit code 1.
func TestTotalFailureIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	s.Swallow(1)
	o := mcbench(t, "run", "-s", s.Addr(), "--keys", "100", "--no-load", "--warmup", "0s", "-r", "100", "-d", "500ms", "--timeout", "50ms")
	if o.code != exitFailed {
		t.Errorf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

func TestInterruptedRunStillReports(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	o := mcbenchIn(ctx, nil, "run", "--keys", "100", "--warmup", "0s", "-r", "1k", "-d", "60s")
	o.want(t, exitInterrupted, "Interrupted", "cross-check")
}

// Somebody else uses the server: the counters differ, and --strict says so.
func TestForeignTrafficIsNoticed(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 400 {
			nc, err := net.Dial("tcp", s.Addr())
			if err != nil {
				return
			}
			io.WriteString(nc, "get somebody\r\n")
			io.CopyN(io.Discard, nc, 5)
			nc.Close()
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(i/100+1) * time.Millisecond):
			}
		}
	})
	o := mcbench(t, quick("-s", s.Addr(), "--strict")...)
	close(stop)
	wg.Wait()
	o.want(t, exitUntrusted, "somebody else uses these servers")
}

func TestThresholdDecidesTheExitCode(t *testing.T) {
	t.Parallel()
	mcbench(t, quick("--threshold", "p99<10s", "--threshold", "rate>100")...).want(t, 0, "pass")
	mcbench(t, quick("--threshold", "p50<1ns")...).want(t, exitThreshold, "FAIL", "threshold failed: p50<1ns")
}

func TestTheEnvironmentIsNeverLoadedUnasked(t *testing.T) {
	s := mctest.Start(t)
	o := mcbenchIn(t.Context(), map[string]string{"MEMCACHED_SERVERS": s.Addr()})
	o.want(t, 0, "mcbench run -s "+s.Addr())
	if n := s.Stats().TotalConns; n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// A black hole under load: ringbeat ejects the server and no request fails, gomemcache
// pays until the heal.
func TestFailoverShowsTheOutage(t *testing.T) {
	t.Parallel()
	o := mcbench(t, "failover", "--keys", "2000", "--warmup", "100ms", "-r", "500", "--at", "500ms", "--for", "1500ms", "-d", "3500ms", "--json", "-")
	r, err := report.ReadJSON(strings.NewReader(o.stdout))
	if err != nil {
		t.Fatalf("%v\n%s", err, o.stderr)
	}
	if len(r.Others) != 1 || r.Client != "ringbeat" || r.Others[0].Client != "gomemcache" {
		t.Fatalf("clients %s and %d others", r.Client, len(r.Others))
	}
	f, g := r.Fault, r.Others[0].Fault
	if f.Eject == nil || f.Detect == nil || *f.Detect > *f.Eject || *f.Eject < f.At || *f.Eject > f.Until {
		t.Errorf("ringbeat: %+v, events %v", f, r.Events)
	}
	if f.Back == nil || *f.Back < f.Until {
		t.Errorf("ringbeat is not back: %+v", f)
	}
	if g.Eject != nil || r.Others[0].Totals.Failed < 100 || g.LastFail == nil || *g.LastFail < f.Until-0.3 {
		t.Errorf("gomemcache: %+v, %d failed", g, r.Others[0].Totals.Failed)
	}
	if r.Totals.Stale+r.Totals.Wrong != 0 {
		t.Errorf("%d stale, %d wrong", r.Totals.Stale, r.Totals.Wrong)
	}
}

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
