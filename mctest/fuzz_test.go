package mctest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scripted is a connection that delivers chunks, then EOF, and keeps what is
// written.
type scripted struct {
	net.Conn // nil: whoever calls anything else gets a panic
	chunks   [][]byte
	written  bytes.Buffer
}

func (s *scripted) Read(b []byte) (int, error) {
	if len(s.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.chunks[0])
	if s.chunks[0] = s.chunks[0][n:]; len(s.chunks[0]) == 0 {
		s.chunks = s.chunks[1:]
	}
	return n, nil
}

func (s *scripted) Write(b []byte) (int, error)     { return s.written.Write(b) }
func (s *scripted) Close() error                    { return nil }
func (s *scripted) SetReadDeadline(time.Time) error { return nil }

// converse runs chunks through a fresh server and returns its replies.
func converse(t testing.TB, cfg Config, chunks ...[]byte) string {
	t.Helper()
	cfg.NoListen = true
	cfg.Clock = func() time.Time { return time.Unix(1_800_000_000, 0) }
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nc := &scripted{chunks: chunks}
	c := newConn(s, s.store(), nc, nil)
	c.direct = true
	c.run()
	if len(c.in) > 4*defaultItem || cap(c.out) > keepBuffer {
		t.Fatalf("buffers of %d and %d bytes", len(c.in), cap(c.out))
	}
	c.end()
	return nc.written.String()
}

// cut splits b at random places.
func cut(b []byte, seed uint64) (chunks [][]byte) {
	r := rand.New(rand.NewPCG(seed, 0))
	for len(b) > 0 {
		n := 1 + r.IntN(min(len(b), 40))
		chunks, b = append(chunks, b[:n]), b[n:]
	}
	return chunks
}

// FuzzRequests: whatever is sent, the server neither panics nor grows, and how
// the bytes are cut into packets makes no difference to the replies.
func FuzzRequests(f *testing.F) {
	for _, s := range corpus(f) {
		f.Add([]byte(s), uint64(len(s)))
	}
	f.Fuzz(func(t *testing.T, requests []byte, seed uint64) {
		// Longer ones may or may not hit the bound of an unfinished line.
		requests = requests[:min(len(requests), maxLine)]
		for _, cfg := range []Config{
			{}, {Version: "1.4.5"}, {MaxItemSize: 200, MaxBytes: 500}, {Auth: map[string]string{"user": "secret"}},
		} {
			whole := converse(t, cfg, bytes.Clone(requests))
			pieces := converse(t, cfg, cut(bytes.Clone(requests), seed)...)
			if strings.Contains(whole, "STAT ") {
				continue // they count the reads, and the pid is new
			}
			if whole != pieces {
				t.Fatalf("cut into pieces\n got %q\nwant %q", pieces, whole)
			}
		}
	})
}

// FuzzLongRequests: as FuzzRequests, for lines and values of up to 1 MiB.
func FuzzLongRequests(f *testing.F) {
	f.Add([]byte("get k"), []byte(" k"), 5000, []byte("\r\n"))
	f.Add([]byte("x"), []byte("x"), 5000, []byte("\r\n"))
	f.Add([]byte("set k 0 0 1048516\r\n"), []byte("x"), 1048516, []byte("\r\nget k\r\n"))
	f.Add([]byte("ms k 99999999 y\r\n"), []byte("x"), 65536, []byte("\r\nmn\r\n"))
	f.Add([]byte("set k 0 0 1\r\n1\r\n"), []byte("append k 0 0 5\r\n12345\r\nget k\r\n"), 2000, []byte(""))
	f.Fuzz(func(t *testing.T, head, unit []byte, times int, tail []byte) {
		times = max(0, min(times, 1<<20/max(1, len(unit))))
		converse(t, Config{MaxItemSize: 1 << 16}, head, bytes.Repeat(unit, times), tail)
	})
}

// corpus are the requests of the transcripts, and some by hand.
func corpus(f *testing.F) []string {
	f.Helper()
	all := []string{
		"set a 0 0 11\r\nuser secret\r\nget a\r\n", "set a 0 0 5\r\n", "get " + strings.Repeat("k ", 900) + "\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x80\x00\x00\x00", "mg " + strings.Repeat("=", 250) + " b\r\n",
	}
	files, _ := filepath.Glob("../testdata/transcripts/*.txt")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var script strings.Builder
		for _, line := range strings.Split(string(text), "\n") {
			if s, err := strconv.Unquote(`"` + strings.TrimPrefix(line, "> ") + `"`); err == nil && strings.HasPrefix(line, "> ") && len(s) < maxLine {
				all = append(all, s)
				script.WriteString(s)
			}
		}
		all = append(all, script.String())
	}
	if len(files) == 0 {
		f.Fatal("no transcripts")
	}
	return all
}
