package mctest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

var record = flag.Bool("record", false, "rewrite testdata/transcripts from the real memcached")

const transcripts = "../testdata/transcripts/*.txt"

// A transcript is a conversation with a fresh memcached:
//
//	# a comment
//	> set a 0 0 1\r\n1\r\n    sent
//	& get a\r\n               sent in the same write
//	2> get a\r\n              sent on a second connection
//	< STORED\r\n              what the real memcached answered
//	~ 3s                      time passes
//
// Lines hold Go escapes; {x*1000} stands for a thousand x.
type transcript struct {
	name  string
	steps []step
}

type step struct {
	comment string        // kept as it is
	pause   time.Duration // 0: not a pause
	conn    string
	lines   []string
	want    []string
}

func readTranscripts(t *testing.T) []transcript {
	t.Helper()
	files, err := filepath.Glob(transcripts)
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	var all []transcript
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, transcript{name: f, steps: parseTranscript(t, f, string(text))})
	}
	return all
}

func parseTranscript(t *testing.T, file, text string) []step {
	t.Helper()
	var steps []step
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case strings.HasSuffix(mark, ">"):
			steps = append(steps, step{conn: mark, lines: []string{rest}})
		case mark == "&" && len(steps) > 0 && steps[len(steps)-1].conn != "":
			last := &steps[len(steps)-1]
			last.lines = append(last.lines, rest)
		case mark == "<" && len(steps) > 0 && steps[len(steps)-1].conn != "":
			last := &steps[len(steps)-1]
			last.want = append(last.want, rest)
		case mark == "~":
			d, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatalf("%s:%d: %v", file, n+1, err)
			}
			steps = append(steps, step{pause: d})
		case line == "" || mark == "#":
			steps = append(steps, step{comment: line})
		default:
			t.Fatalf("%s:%d: cannot read %q", file, n+1, line)
		}
	}
	return steps
}

// requests are the bytes to send.
func (s step) requests(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, l := range s.lines {
		raw, err := strconv.Unquote(`"` + l + `"`)
		if err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		b.WriteString(expand(t, raw))
	}
	return b.String()
}

// expand replaces {x*1000}.
func expand(t *testing.T, s string) string {
	t.Helper()
	for {
		before, rest, ok := strings.Cut(s, "{")
		if !ok {
			return s
		}
		inside, after, ok := strings.Cut(rest, "}")
		char, count, ok2 := strings.Cut(inside, "*")
		n, err := strconv.Atoi(count)
		if !ok || !ok2 || err != nil {
			t.Fatalf("cannot expand %q", s)
		}
		s = before + strings.Repeat(char, n) + after
	}
}

// show writes a reply as transcript lines.
func show(reply string) []string {
	var lines []string
	for _, l := range strings.SplitAfter(reply, "\n") {
		if l != "" {
			q := strconv.Quote(l)
			lines = append(lines, q[1:len(q)-1])
		}
	}
	if lines == nil {
		lines = []string{""}
	}
	return lines
}

// play runs the steps on the server at addr and hands over each reply.
func play(t *testing.T, tr transcript, addr string, sleep func(time.Duration), reply func(i int, got []string)) {
	t.Helper()
	conns := make(map[string]*talker)
	for i, s := range tr.steps {
		switch {
		case s.pause > 0:
			sleep(s.pause)
		case s.conn != "":
			if conns[s.conn] == nil {
				conns[s.conn] = dialTalker(t, addr)
			}
			got := conns[s.conn].ask(s.requests(t))
			reply(i, show(got))
			if strings.HasSuffix(got, closed) {
				delete(conns, s.conn)
			}
		}
	}
}

func TestTranscripts(t *testing.T) {
	for _, tr := range readTranscripts(t) {
		t.Run(filepath.Base(tr.name), func(t *testing.T) {
			now := newFakeClock()
			srv := mctest.Start(t, mctest.Config{Clock: now.Now})
			play(t, tr, srv.Addr(), now.Advance, func(i int, got []string) {
				compare(t, tr.steps[i], got)
			})
		})
	}
}

func TestTranscriptsAreTrue(t *testing.T) {
	for _, tr := range readTranscripts(t) {
		t.Run(filepath.Base(tr.name), func(t *testing.T) {
			t.Parallel()
			addr := realMemcached(t)
			play(t, tr, addr, time.Sleep, func(i int, got []string) {
				if *record {
					tr.steps[i].want = got
					return
				}
				// The clock may have ticked since the recording.
				real := tr.steps[i]
				real.want = normalLines(real.want)
				compare(t, real, normalLines(got))
			})
			if *record {
				rewrite(t, tr)
			}
		})
	}
}

func normalLines(lines []string) []string {
	return strings.Split(normal(strings.Join(lines, "\n")), "\n")
}

func compare(t *testing.T, s step, got []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(s.want, "\n") {
		t.Errorf("%s %.300q\n got %.600q\nwant %.600q", s.conn, s.lines, got, s.want)
	}
}

func rewrite(t *testing.T, tr transcript) {
	t.Helper()
	var b strings.Builder
	for _, s := range tr.steps {
		switch {
		case s.pause > 0:
			fmt.Fprintf(&b, "~ %v\n", s.pause)
		case s.conn == "":
			b.WriteString(s.comment + "\n")
		default:
			fmt.Fprintf(&b, "%s %s\n", s.conn, strings.Join(s.lines, "\n& "))
			for _, l := range s.want {
				fmt.Fprintf(&b, "< %s\n", l)
			}
		}
	}
	if err := os.WriteFile(tr.name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
