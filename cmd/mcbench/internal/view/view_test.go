package view

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

func status(points int, clients ...string) bench.Status {
	s := bench.Status{
		Elapsed: time.Duration(points) * time.Second, Length: 10 * time.Second,
		Config:  &report.Config{Loop: "open", Rate: 2000},
		Servers: []report.Server{{Name: "s1", Weight: 2}, {Name: "s2", Weight: 1}},
	}
	for _, c := range clients {
		l := bench.LaneStatus{Client: c, States: []string{"ejected", "up"}, Events: []report.Event{{T: 0.5, Server: "s1", What: "suspect"}}}
		for i := range points {
			l.Series = append(l.Series, report.Point{
				T: float64(i + 1), OK: 1990, Err: 10, Hits: 1700, Misses: 100, P50: 0.2, P99: 4, Max: 200, Servers: []int64{990, 1000},
			})
		}
		if points > 0 {
			l.Last = l.Series[points-1]
		}
		l.Total.Failed = int64(10 * points)
		s.Lanes = append(s.Lanes, l)
	}
	return s
}

func TestPlainPrintsALinePerSecondAndEvent(t *testing.T) {
	var b bytes.Buffer
	p := NewPlain(&b)
	p.Note("warning: something")
	for i := range 4 {
		p.Tick(status(i, "ringbeat"))
		p.Tick(status(i, "ringbeat")) // the same again prints nothing new
	}
	p.Done()
	got := b.String()
	if strings.Count(got, "1,990/s ok") != 3 || strings.Count(got, "suspect") != 1 || !strings.Contains(got, "warning: something") {
		t.Errorf("printed:\n%s", got)
	}
	if !strings.Contains(got, "10 failed  hit 94.4 %  p50 0.20  p99 4.00  worst 200.0 ms") {
		t.Errorf("a line lacks its figures:\n%s", got)
	}
	if strings.Contains(got, "\x1b") {
		t.Error("escape sequences outside a terminal")
	}
}

func TestLiveDrawsOverItself(t *testing.T) {
	var b bytes.Buffer
	v := NewLive(&b, func() int { return 60 }, true)
	v.Progress("preload", 50, 100)
	for i := range 3 {
		v.Tick(status(i, "ringbeat", "gomemcache"))
	}
	v.Done()
	screen := render(b.String(), 60, t)
	if len(screen) != 0 {
		t.Errorf("lines are left behind: %q", screen)
	}
	v.Tick(status(3, "ringbeat", "gomemcache"))
	text := strings.Join(render(b.String(), 60, t), "\n")
	for _, want := range []string{"open loop 2,000 req/s", "ringbeat", "gomemcache", "s1", "ejected", "suspect", "3.0s / 10s"} {
		if !strings.Contains(text, want) {
			t.Errorf("the screen lacks %q:\n%s", want, text)
		}
	}
}

// render plays the escape sequences that Live uses and returns the lines of the screen.
func render(out string, width int, t *testing.T) []string {
	t.Helper()
	var lines []string
	row := 0
	for part := range strings.Lines(out) {
		for strings.HasPrefix(part, "\x1b[") {
			end := strings.IndexAny(part, "AJKm")
			switch part[end] {
			case 'A':
				n := 0
				for _, c := range part[2:end] {
					n = 10*n + int(c-'0')
				}
				if row -= n; row < 0 {
					t.Fatal("moved above the first line")
				}
			case 'J':
				lines = lines[:row]
			}
			part = part[end+1:]
		}
		text := strings.TrimSuffix(strings.TrimSuffix(part, "\n"), "\x1b[K")
		if text == "" {
			continue
		}
		bare := strip(text)
		if n := utf8.RuneCountInString(bare); n > width {
			t.Errorf("%d columns of %d: %q", n, width, bare)
		}
		if row < len(lines) {
			lines[row] = bare
		} else {
			lines = append(lines, bare)
		}
		row++
	}
	return lines[:row]
}

func strip(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == 0x1b {
			for s[i] != 'm' {
				i++
			}
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestSparkRisesWithLatency(t *testing.T) {
	got := spark([]report.Point{{Max: 0.1}, {Max: 1}, {Max: 10}, {Max: 100}, {Max: 1000}, {Max: 99999}, {Max: 0}}, 10)
	if got != "▁▃▅▆██▁" {
		t.Errorf("spark %q", got)
	}
	if n := utf8.RuneCountInString(spark(make([]report.Point, 100), 40)); n != 40 {
		t.Errorf("%d cells, want 40", n)
	}
}
