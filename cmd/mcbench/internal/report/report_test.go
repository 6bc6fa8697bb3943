package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
)

// full returns a report with everything in it: long names, failures, events, a fault.
func full() *Report {
	rec := measure.NewRecorder(2, 2)
	for i := range 10_000 {
		s := &measure.Sample{Server: i % 2, Done: time.Duration(i) * 37 * time.Microsecond, Hits: 1}
		if i%10 == 0 {
			s.Err = errors.New("a long story about <what> went wrong & why that matters to nobody at all")
		}
		rec.Sent(i)
		rec.Record(i, s)
		rec.Lag(i, time.Duration(i)*time.Nanosecond)
	}
	detect, last := 4.31, 5.0
	r := &Report{
		Version: SchemaVersion, Command: "failover", Client: "ringbeat", Started: time.Unix(1_700_000_000, 0).UTC(),
		Config: Config{Servers: []string{"a=2", "b=1"}, Loop: "open", Rate: 1_000_000, MaxInFlight: 10_000, Workload: "get=90 <b>", Verify: true},
		Env:    Env{CPUs: 2, LocalLoad: true},
		Totals: Totals{Offered: 10_000_000, Sent: 9_999_999, NotSent: 12, Unfinished: 3, OK: 9_000, Failed: 1_000_015, Stale: 1, Hits: 5, ElapsedS: 12, OfferedPS: 1e6, DonePS: 9e5},
		Ops:    map[string]Op{"get": {Count: 8_999_999, Hits: 9, Misses: 1, MS: map[string]float64{"50": 0.1, "99": 12345.6, "99.9": 60000}, MaxMS: 60000}, "set": {Count: 1, MS: map[string]float64{}}},
		Errors: map[string]int64{"timeout": 7, "connection refused": 1_000_000},
		Servers: []Server{
			{Name: "a-very-long-name-of-a-server.in.some.data.center:11211", Weight: 2, Ideal: 2. / 3, Ring: 0.7, Requests: 6_600_000, State: "up"},
			{Name: "b<&>", Weight: 1, Ideal: 1. / 3, Ring: 0.3, Requests: 3_300_000, Failed: 1_000_000, State: "ejected"},
		},
		Events:     []Event{{4, "b<&>", "fault: blackhole"}, {4.31, "b<&>", "ejected: probes failed, " + strings.Repeat("very ", 20) + "long"}},
		Checks:     map[string]Check{"self-check": {OK: false, Text: strings.Repeat("some words that explain it ", 6)}, "cross-check": {OK: true, Text: "equal"}},
		Thresholds: []ThresholdResult{{"p99<1ms", 12345.6, false}, {"errors<0.1%", 0, true}},
		Fault:      &Fault{Kind: "blackhole", Server: "b<&>", At: 4, Until: 8, Detect: &detect, Eject: &detect, LastFail: &last, WorstMS: 200},
	}
	r.Fill(rec.Total(), []float64{50, 90, 99, 99.9})
	for i := range 60 {
		p := Point{T: float64(i+1) / 5, OK: 400, P50: 0.1, P99: 1, P999: 2, Max: 3, Servers: []int64{300, 100}}
		if i > 20 && i < 25 {
			p.Err, p.Max, p.OK = 100, 200, 0
		}
		r.Series = append(r.Series, p)
	}
	other := *r
	other.Client, other.Others = "gomemcache", nil
	r.Others = []*Report{&other}
	return r
}

func TestTextFitsEightyColumns(t *testing.T) {
	for name, write := range map[string]func(io.Writer, Style){"run": full().WriteText, "failover": full().WriteFailover} {
		var b bytes.Buffer
		write(&b, Style{})
		for l := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(l, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", name, n, l)
			}
		}
		if strings.Contains(b.String(), "\x1b") {
			t.Errorf("%s: colour although none was asked for", name)
		}
	}
}

func TestColourChangesNothingElse(t *testing.T) {
	escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for name, write := range map[string]func(io.Writer, Style){"run": full().WriteText, "failover": full().WriteFailover} {
		var plain, colour bytes.Buffer
		write(&plain, Style{})
		write(&colour, Style{Color: true})
		if !strings.Contains(colour.String(), "\x1b[31") {
			t.Errorf("%s: no colour", name)
		}
		if got := escapes.ReplaceAllString(colour.String(), ""); got != plain.String() {
			t.Errorf("%s: the coloured text differs:\n%s\n%s", name, got, plain.String())
		}
	}
}

// The page must be whole without a network or a script, and names must not become markup.
func TestHTMLStandsAlone(t *testing.T) {
	var b bytes.Buffer
	if err := full().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, banned := range []string{"http://", "https://", "<script", "src=", "url(", "@import", "<b>\"", "b<&>", "<what>", "NaN", "Inf", "%!"} {
		if strings.Contains(page, banned) {
			t.Errorf("the page contains %q", banned)
		}
	}
	for _, want := range []string{"Latency over time", "Throughput", "Latency by percentile", "Answers by home server", "blackhole of b&lt;&amp;&gt;", "gomemcache", "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(page, `role="img"`); n != 5 {
		t.Errorf("%d charts, want 5", n)
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
			t.Errorf("a drawing is no XML: %v", err)
		}
	}
}

func TestHTMLOfAnEmptyRun(t *testing.T) {
	var b bytes.Buffer
	r := &Report{Percentiles: map[string]map[string]float64{"response": {}}}
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "NaN") {
		t.Error("NaN in the page of an empty run")
	}
}

func TestJSONComesBackAsItWas(t *testing.T) {
	r := full()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadJSON(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := back.WriteJSON(&again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("a report that was read writes differently")
	}
	if _, err := ReadJSON(strings.NewReader("hello")); err == nil {
		t.Error("text accepted as a report")
	}
}

func TestThresholds(t *testing.T) {
	r := &Report{
		Percentiles: map[string]map[string]float64{"response": {"99": 1.5, "99.9": 3}, "service": {"99": 0.2}, "ok": {"50": 1}, "lag": {"99": 2}},
		Totals:      Totals{Sent: 1000, Failed: 5, Hits: 90, Misses: 10, DonePS: 2000, MaxMS: 40, Stale: 1},
	}
	for text, pass := range map[string]bool{
		"p99<1ms": false, "p99<=1.5ms": true, "p99 < 2ms": true, "p99<1500us": false, "p99.9<1s": true,
		"service.p99<250us": true, "ok.p50==1ms": true, "lag.p99<1ms": false, "max<50ms": true,
		"errors<0.1%": false, "errors<1%": true, "hits>=90%": true, "hits>95%": false,
		"rate>1999": true, "failed<5": false, "stale==0": false, "wrong==0": true,
	} {
		th, err := ParseThreshold(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := th.Check(r); got.Pass != pass {
			t.Errorf("%s: %+v", text, got)
		}
	}
	for _, text := range []string{"", "p99", "p99<", "p99<1", "p99<1%", "p0<1ms", "p101<1ms", "errors<1ms", "rate>1%", "rate>5ms", "speed>1", "max<5", "p99!1ms", "p99<1ms;p50<1ms"} {
		if th, err := ParseThreshold(text); err == nil {
			t.Errorf("%q accepted: %+v", text, th)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -999: "-999"} {
		if got := Group(n); got != want {
			t.Errorf("Group(%d) = %q, want %q", n, got, want)
		}
	}
	for ms, want := range map[float64]string{0: "0.00", 0.123: "0.12", 9.99: "9.99", 12.34: "12.3", 999.4: "999.4", 1234.5: "1,235"} {
		if got := Millis(ms); got != want {
			t.Errorf("Millis(%v) = %q, want %q", ms, got, want)
		}
	}
}

func TestAxesAreRound(t *testing.T) {
	for span, want := range map[float64]float64{12: 2, 10: 2, 1: 0.2, 2345: 500, 0: 1} {
		if got := niceStep(span); math.Abs(got-want) > 1e-9 {
			t.Errorf("niceStep(%v) = %v, want %v", span, got, want)
		}
	}
	if ticks := timeTicks(12); len(ticks) < 5 || len(ticks) > 15 {
		t.Errorf("12 s get %d ticks", len(ticks))
	}
	if ticks := timeTicks(3600); len(ticks) < 5 || len(ticks) > 15 {
		t.Errorf("an hour gets %d ticks", len(ticks))
	}
}
