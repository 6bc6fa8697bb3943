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
	"sync/atomic"
	"testing"
	"time"

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
	var rs []*Request
	for i := range 300 {
		rs = append(rs, get(strings.Repeat("k", 1+i*7%proto.MaxKeyLen)))
	}
	keys := 0
	for _, line := range batch(rs...) {
		keys += strings.Count(line, " ")
		if n := len(line + "\r\n"); n > maxLine {
			t.Errorf("a line of %d bytes", n)
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

// lineOf is a connection without a server, on which requests are under way.
type lineOf struct {
	c  *conn
	rs []*Request
}

// newLine puts gets of the keys on one shared line, and behind it an mg.
func newLine(t testing.TB, keys ...string) *lineOf {
	l := &lineOf{c: serverless(t)}
	l.c.crowd.Store(true)
	for _, key := range keys {
		l.push(t, get(key))
	}
	l.c.crowd.Store(false)
	l.push(t, get("behind"))
	l.c.takeBatch()
	return l
}

func serverless(t testing.TB) *conn {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = theirs.Close() })
	c := newConn(&newPool(t, "none", Config{MaxValue: 1 << 20}).small, &netWire{nc: ours}, 1, proto.Meta)
	c.reader = readerServe
	return c
}

func (l *lineOf) push(t testing.TB, r *Request) {
	must(t, l.c.g.p.prepare(background, r))
	l.c.push(r, false)
	l.rs = append(l.rs, r)
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
		{"an error at once", "a b", "SERVER_ERROR no\r\n" + behind, "SERVER_ERROR no,none,none!"},
		{"an error on the way", "a b b", a + "SERVER_ERROR no\r\n" + end + behind, "A,SERVER_ERROR no,none,none!"},
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
			if bad := errors.Is(err, proto.ErrMalformed) || errors.Is(err, ErrConnLost); bad != strings.HasSuffix(c.want, "!") {
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
		if (wholeErr == nil) != (cutErr == nil) {
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

// TestNothingIsBelievedBehindALostReply: a gets without memory for its reply throws
// away what memcached has not sent yet of earlier ones. So the error reaches the set
// before it, and the END of the next line must not be taken for that of this one.
func TestNothingIsBelievedBehindALostReply(t *testing.T) {
	l := &lineOf{c: serverless(t)}
	l.c.crowd.Store(true)
	for _, r := range []*Request{set("x", "v"), get("cold"), get("hot")} {
		l.push(t, r)
	}
	l.c.takeBatch()
	got, err := l.replies(t, "SERVER_ERROR out of memory writing get response\r\nEND\r\n")
	want := []string{"SERVER_ERROR out of memory writing get response", "none", "none"}
	if !errors.Is(err, ErrConnLost) || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// TestNothingIsBelievedBehindAnErrorInABacklog: the same where the error comes with
// more replies than are handed over in one go.
func TestNothingIsBelievedBehindAnErrorInABacklog(t *testing.T) {
	l := &lineOf{c: serverless(t)}
	l.c.crowd.Store(true)
	in := ""
	for range maxBatch {
		in += fmt.Sprintf("HD O%x\r\n", l.c.opaque)
		l.push(t, set("x", "v"))
	}
	l.push(t, set("bad", "v"))
	l.push(t, get("hot"))
	l.c.takeBatch()
	err := l.c.took(copy(l.c.rbuf, in+"CLIENT_ERROR bad\r\nEND\r\n"), nil)
	if err != nil || !l.c.backlog.Load() {
		t.Fatalf("backlog %v, %v", l.c.backlog.Load(), err)
	}
	l.c.dead(l.c.serveBatch())
	if hot := l.rs[maxBatch+1]; !errors.Is(hot.err, ErrConnLost) {
		t.Errorf("the get behind the error: %v, status %v", hot.err, hot.Reply.Status)
	}
}

// TestNoMissWithoutMemory is the same on memcached, which has no memory for replies as
// long as other connections hold all of it: whatever fails, nothing is missing that
// is there.
func TestNoMissWithoutMemory(t *testing.T) {
	addr := memcached(t, "-t", "1", "-o", "read_buf_mem_limit=1")
	p := sharing(newPool(t, addr, Config{Timeout: time.Second, Conns: 1}))
	for i := range 40 {
		must(t, p.Do(background, set(fmt.Sprint("hot", i), "H")))
	}
	network, host := SplitAddr(addr)
	for range 58 { // a read buffer each, of the 64 that there are
		nc, err := net.Dial(network, host)
		must(t, err)
		defer func() { _ = nc.Close() }()
		_, err = nc.Write([]byte("get partial"))
		must(t, err)
	}
	var misses, refused, found atomic.Int32
	var callers sync.WaitGroup
	for i := range 96 {
		callers.Go(func() {
			for n := 0; n < 20_000 && refused.Load() < 5; n++ {
				r := get(fmt.Sprint("hot", (n*7+i)%40))
				if n%9 == i%9 {
					r = set(fmt.Sprint("own", i), "v")
				}
				err := p.Do(background, r)
				var line *proto.ServerError
				switch {
				case errors.As(err, &line):
					refused.Add(1)
				case err == nil && r.Op == proto.OpGet && r.Reply.Status == proto.Miss:
					misses.Add(1)
				case err == nil:
					found.Add(1)
				}
			}
		})
	}
	callers.Wait()
	t.Logf("%d answered, %d refused, %d missing", found.Load(), refused.Load(), misses.Load())
	if misses.Load() > 0 || found.Load() == 0 {
		t.Errorf("%d gets missed what is there, %d were answered", misses.Load(), found.Load())
	}
	if refused.Load() == 0 {
		t.Log("this memcached never ran out of memory: nothing was tested")
	}
}
