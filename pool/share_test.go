package pool

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// sharing makes p's gets share lines from the second batch on, however few they are.
func sharing(p *Pool) *Pool {
	p.shareFrom = 1
	return p
}

// TestSharedLineIsOneCommand: while gets come in numbers they are one command, with
// other requests in their place between them, and as few go back to mg.
func TestSharedLineIsOneCommand(t *testing.T) {
	p := newPool(t, "none", Config{})
	c := newConn(&p.small, &netWire{}, 1, proto.Meta)
	c.reader = readerServe
	batch := func(rs ...*Request) []string {
		t.Helper()
		for _, r := range rs {
			must(t, p.prepare(background, r))
			if c.push(r, false) == notPushed {
				t.Fatal("no room")
			}
		}
		out := string(c.takeBatch())
		if c.line >= 0 || !c.tail.expect.Last && c.tail.expect.Shared {
			t.Error("a line is open")
		}
		return strings.Split(strings.TrimSuffix(out, "\r\n"), "\r\n")
	}
	many := func(n int) (rs []*Request) {
		for range n {
			rs = append(rs, get("k"))
		}
		return rs
	}
	if got := batch(many(shareFrom)...); len(got) != shareFrom || !strings.HasPrefix(got[0], "mg k ") {
		t.Errorf("the first batch is %q", got)
	}
	into := get("c")
	into.Op = proto.OpGetInto
	got := batch(append(many(shareFrom), get("a"), set("b", "v"), into, get("d"))...)
	want := []string{"gets" + strings.Repeat(" k", shareFrom) + " a", "ms b 1", "v", "gets c d"}
	if len(got) > 1 {
		got[1], _, _ = strings.Cut(got[1], " O")
	}
	if !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if got := batch(get("e"), get("f")); !slices.Equal(got, []string{"gets e f"}) {
		t.Errorf("sent %q", got)
	}
	if got := batch(get("g")); len(got) != 1 || !strings.HasPrefix(got[0], "mg g ") {
		t.Errorf("after a small batch: %q", got)
	}
	batch(many(shareFrom)...)
	long := strings.Repeat("k", proto.MaxKeyLen)
	var rs []*Request
	for range 100 {
		rs = append(rs, get(long))
	}
	keys := 0
	for _, line := range batch(rs...) {
		keys += strings.Count(line, long)
		if len(line) > maxLine {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if keys != len(rs) {
		t.Errorf("%d keys were sent, want %d", keys, len(rs))
	}
	c.dialect = proto.Classic
	batch(many(shareFrom)...)
	if got := batch(get("a"), get("b")); !slices.Equal(got, []string{"gets a", "gets b"}) {
		t.Errorf("a server without meta commands got %q", got)
	}
}

// TestSharedLinesOnMemcached: whatever lies between the gets, each caller finds what
// he would have found alone.
func TestSharedLinesOnMemcached(t *testing.T) {
	p := sharing(newPool(t, memcached(t, "-t", "2"), Config{Timeout: patience}))
	value := func(i int) string { return strings.Repeat(fmt.Sprint("value", i, ";"), 1+i%40) }
	const numKeys = 200 // of which every third is there
	for i := 0; i < numKeys; i += 3 {
		r := set(soakKey(i), value(i))
		r.Flags = uint32(i)
		must(t, p.Do(background, r))
	}
	var callers sync.WaitGroup
	for seed := range uint64(32) {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(seed, 3))
			for range 1000 {
				i := random.IntN(numKeys)
				r := get(soakKey(i))
				switch random.IntN(8) {
				case 0:
					r = set("own"+strconv.Itoa(int(seed)), "v")
				case 1:
					r.Op = proto.OpGetInto
				case 2:
					r = multi(soakKey(i), soakKey(i+1), soakKey(i+2))
				}
				must(t, p.Do(background, r))
				switch {
				case r.Op == proto.OpSet:
				case r.Op == proto.OpGetMulti:
					if len(r.Hits) != 1 && i+2 < numKeys {
						t.Errorf("%d of 3 keys were found, want 1", len(r.Hits))
					}
				case i%3 != 0:
					if r.Reply.Status != proto.Miss || r.Reply.Value != nil {
						t.Errorf("%q is there: %+v", r.Key, r.Reply)
					}
				case string(r.Reply.Value) != value(i) || r.Reply.Status != proto.OK:
					t.Errorf("%q has %q", r.Key, r.Reply.Value)
				case r.Op == proto.OpGet && (r.Reply.Flags != uint32(i) || r.Reply.CAS == 0):
					t.Errorf("%q has the flags %d and CAS %d", r.Key, r.Reply.Flags, r.Reply.CAS)
				}
			}
		})
	}
	callers.Wait()
	if s := p.Stats(); s.Dials > 2 || s.Mismatches > 0 {
		t.Errorf("%+v", s)
	}
}

// lineOf puts gets of the keys on one shared line, and behind it an mg. replies then
// ends requests by the bytes given, and says what has come of each.
type lineOf struct {
	c  *conn
	rs []*Request
}

func newLine(t testing.TB, keys ...string) *lineOf {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = theirs.Close() })
	p := newPool(t, "none", Config{MaxValue: 1 << 20})
	l := &lineOf{c: newConn(&p.small, &netWire{nc: ours}, 1, proto.Meta)}
	l.c.reader = readerServe
	l.c.share = true
	for i, key := range append(keys, "behind") {
		r := get(key)
		must(t, p.prepare(background, r))
		if i == len(keys) {
			l.c.share = false
		}
		l.c.push(r, false)
		l.rs = append(l.rs, r)
	}
	l.c.takeBatch()
	return l
}

// replies feeds b in the pieces that end at cuts. It returns the value, "miss", the
// error line or "none" for each request, and what ended the connection.
func (l *lineOf) replies(t testing.TB, b string, cuts ...int) (got []string, err error) {
	from := 0
	for _, end := range append(cuts, len(b)) {
		for from < end && err == nil {
			n := copy(l.c.rbuf[l.c.rend:], b[from:end])
			from += n
			err = l.c.took(n, nil)
			for err == nil && l.c.backlog.Load() {
				err = l.c.digest()
			}
		}
	}
	l.c.wakeLast()
	for _, r := range l.rs {
		select {
		case <-r.done:
		default:
			got = append(got, "none")
			continue
		}
		var refused *proto.ServerError
		switch {
		case errors.As(r.err, &refused):
			got = append(got, refused.Line)
		case r.err != nil:
			t.Fatal(r.err)
		case r.Reply.Status == proto.Miss:
			got = append(got, "miss")
		default:
			got = append(got, string(r.Reply.Value))
		}
	}
	return got, err
}

func TestRepliesToASharedLine(t *testing.T) {
	const a, b, end, behind = "VALUE a 0 1 1\r\nA\r\n", "VALUE b 0 2 1\r\nBB\r\n", "END\r\n", "EN O0\r\n"
	for _, c := range []struct{ name, keys, in, want string }{
		{"all found", "a b", a + b + end + behind, "A BB miss"},
		{"the first missing", "a b", b + end + behind, "miss BB miss"},
		{"the last missing", "a b", a + end + behind, "A miss miss"},
		{"all missing", "a b a", end + behind, "miss miss miss miss"},
		{"one key alone", "a", a + end + behind, "A miss"},
		{"one key alone, missing", "a", end + behind, "miss miss"},
		{"a key twice", "a a b", a + a + b + end + behind, "A A BB miss"},
		{"a key that came between two", "a b a", b + a + end + behind, "miss BB A miss"},
		{"a key gone between two", "a a b", a + b + end + behind, "A miss BB miss"},
		{"an error at once", "a b", "SERVER_ERROR out of memory\r\n" + behind, "SERVER_ERROR out of memory,SERVER_ERROR out of memory,miss"},
		{"an error on the way", "a b b", a + "SERVER_ERROR out of memory\r\n" + behind, "A,SERVER_ERROR out of memory,SERVER_ERROR out of memory,miss"},
		{"not complete", "a b", a, "A none none"},
		{"no END", "a b", a + b + behind, "A none none!"},
		{"END twice", "a b", a + b + end + end, "A BB none!"},
		{"a key that nobody asked for", "a b", "VALUE c 0 1 1\r\nC\r\n", "none none none!"},
		{"a key that begins like one", "a b", "VALUE aa 0 1 1\r\nA\r\n", "none none none!"},
		{"a key behind its turn", "a b", b + a, "miss BB none!"},
		{"a value twice", "a b b", a + a, "A none none none!"},
		{"a meta reply", "a b", "VA 1 f0 c1 O0\r\nA\r\n", "none none none!"},
		{"a value that goes on", "a b", "VALUE a 0 1 1\r\nAA\r\n", "none none none!"},
		{"the key of the line before", "a b", a + b + end + a, "A BB none!"},
	} {
		sep := " "
		if strings.Contains(c.want, ",") {
			sep = ","
		}
		want := strings.Split(strings.TrimSuffix(c.want, "!"), sep)
		for cut := range len(c.in) {
			got, err := newLine(t, strings.Fields(c.keys)...).replies(t, c.in, cut)
			if strings.HasSuffix(c.want, "!") != errors.Is(err, proto.ErrMalformed) {
				t.Errorf("%s, cut at %d: error %v", c.name, cut, err)
			}
			if err != nil {
				// Who was answered before may have it either way.
				for i := range got {
					if got[i] != want[i] && want[i] != "none" && got[i] != "none" || want[i] == "none" && got[i] != "none" {
						t.Errorf("%s, cut at %d: %q, want %q", c.name, cut, got, want)
					}
				}
			} else if !slices.Equal(got, want) {
				t.Errorf("%s, cut at %d: %q, want %q", c.name, cut, got, want)
			}
		}
	}
}

// FuzzSharedLine feeds the replies to a shared line with anything. Nobody may get
// another key's value, and all comes out the same however the bytes arrive.
func FuzzSharedLine(f *testing.F) {
	for _, in := range []string{
		"VALUE a 0 1 1\r\nA\r\nVALUE b 0 2 1\r\nBB\r\nEND\r\nEN O0\r\n",
		"VALUE b 0 2 1\r\nBB\r\nVALUE a 0 1 1\r\nA\r\nEND\r\nVA 1 f0 c1 O0\r\nx\r\n",
		"VALUE a 0 1 1\r\nA\r\nSERVER_ERROR out of memory\r\nEN O0\r\n",
		"VALUE dd 7 0 1\r\n\r\nEND\r\nEND\r\n", "END\r\nEN\r\n", "VALUE c 0 99999999999 1\r\n",
	} {
		f.Add([]byte(in), uint16(3))
	}
	keys := []string{"a", "b", "a", "c", "dd", "d"}
	f.Fuzz(func(t *testing.T, in []byte, width uint16) {
		whole, wholeErr := newLine(t, keys...).replies(t, string(in))
		for i, v := range whole[:len(keys)] {
			if v == "miss" || v == "none" || strings.Contains(v, "ERROR") {
				continue
			}
			if !bytes.Contains(in, fmt.Appendf(nil, "\r\n%s\r\n", v)) || !bytes.Contains(in, []byte("VALUE "+keys[i]+" ")) {
				t.Errorf("%q came of %q for %q", v, in, keys[i])
			}
		}
		var cuts []int
		step := max(int(width), 1, len(in)/500)
		for cut := step; cut < len(in); cut += step {
			cuts = append(cuts, cut)
		}
		cut, cutErr := newLine(t, keys...).replies(t, string(in), cuts...)
		if errors.Is(wholeErr, proto.ErrMalformed) != errors.Is(cutErr, proto.ErrMalformed) {
			t.Errorf("%q: %v in one piece, %v in pieces of %d", in, wholeErr, cutErr, step)
		}
		if !slices.Equal(whole, cut) {
			t.Errorf("%q: %q in one piece, %q in pieces of %d", in, whole, cut, step)
		}
	})
}

// TestReplyToWhatWasNotSentIsNone: a server cannot answer a request that lies in our
// write buffer, even if it guesses what it is.
func TestReplyToWhatWasNotSentIsNone(t *testing.T) {
	l := newLine(t, "a")
	early := get("early")
	must(t, l.c.g.p.prepare(background, early))
	l.c.push(early, false)
	got, err := l.replies(t, "END\r\nEN O0\r\nEN O1\r\n")
	if !errors.Is(err, proto.ErrMalformed) || len(early.done) > 0 {
		t.Errorf("%q, %v; the reply was believed: %v", got, err, len(early.done) > 0)
	}
}

// TestManyMissesOnASharedLine: more than are handed over in one go, in front of the
// one value.
func TestManyMissesOnASharedLine(t *testing.T) {
	const n = 3*maxBatch + 5
	keys := make([]string, n)
	for i := range keys {
		keys[i] = strconv.FormatInt(int64(i), 36)
	}
	got, err := newLine(t, keys...).replies(t, "VALUE "+keys[n-2]+" 0 1 1\r\nx\r\nEND\r\nEN O0\r\n")
	want := slices.Repeat([]string{"miss"}, n+1)
	want[n-2] = "x"
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %q", err, got)
	}
}

// TestCallerOnASharedLineGivesUp: the others on his line do not notice, and his
// value, which comes late, goes to nobody.
func TestCallerOnASharedLineGivesUp(t *testing.T) {
	l := newLine(t, "a", "b", "c")
	gone := l.rs[1]
	var f findings
	gone.expires = 0
	l.c.look(1, false, &f)
	f.act(l.c.g.p)
	if len(gone.done) != 1 || !errors.Is(gone.err, ErrTimeout) {
		t.Fatalf("the caller waits: %v", gone.err)
	}
	gone.Key = "c" // he uses it again
	<-gone.done
	got, err := l.replies(t, "VALUE a 0 1 1\r\nA\r\nVALUE b 0 1 1\r\nB\r\nVALUE c 0 1 1\r\nC\r\nEND\r\nEN O0\r\n")
	if want := []string{"A", "none", "C", "miss"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %q, want %q", err, got, want)
	}
	if gone.Reply.Value != nil {
		t.Error("the late value was given to him")
	}
}
