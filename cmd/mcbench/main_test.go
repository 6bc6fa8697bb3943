package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
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
	a := &app{ctx: ctx, stdout: &stdout, stderr: &stderr, getenv: func(k string) string { return env[k] }}
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

// A black hole under load: ringbeat ejects the server and no request fails, gomemcache
// pays until the heal.
func TestFailoverShowsTheOutage(t *testing.T) {
	o := mcbench(t, "failover", "--keys", "2000", "--warmup", "100ms", "-r", "200", "--at", "500ms", "--for", "3s", "-d", "5500ms", "--json", "-")
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

// The columns are what -P asks for; what thresholds and tables need beyond stays hidden.
func TestPercentilesAreThoseAskedFor(t *testing.T) {
	t.Parallel()
	o := mcbench(t, quick("-P", "75,99.99", "--threshold", "p95<10s", "--html", filepath.Join(t.TempDir(), "r.html"))...)
	o.want(t, 0, "p75", "p99.99", "p95<10s")
	if strings.Contains(o.stdout, " p50") || strings.Contains(o.stdout, " p95 ") {
		t.Errorf("columns that nobody asked for:\n%s", o.stdout)
	}
}
