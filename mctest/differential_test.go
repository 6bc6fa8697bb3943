package mctest_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

var seeds = flag.Uint64("seeds", 4, "how many random conversations to compare with the real memcached")

// scribe writes random requests, from a seed.
type scribe struct {
	*rand.Rand
	lastCAS string // the last one seen in a reply
}

func newScribe(seed uint64) *scribe {
	return &scribe{Rand: rand.New(rand.NewPCG(seed, 7)), lastCAS: "1"}
}

var casInReply = regexp.MustCompile(`(?: c|cas=|VALUE \S+ \d+ \d+ )(\d+)`)

// learn remembers the last cas of a reply.
func (r *scribe) learn(reply string) {
	if all := casInReply.FindAllStringSubmatch(reply, -1); len(all) > 0 {
		r.lastCAS = all[len(all)-1][1]
	}
}

func (r *scribe) pick(from ...string) string { return from[r.IntN(len(from))] }

// key is one of few, so that requests meet.
func (r *scribe) key() string { return r.pick("a", "b", "c", "n", "m", "long", "Zm9v", "YmFy") }

// value is never something for which memcached's answer to incr depends on bytes
// beyond the item: white space only, or a number of more than 63 bits.
func (r *scribe) value() string {
	return r.pick("", "1", "9", "99", "12 x", "9223372036854775807", "abc", "x\r\ny", "12345678901234567890123456", strings.Repeat("v", 400))
}

// ttl is never one that could pass during a test.
func (r *scribe) ttl() string { return r.pick("0", "0", "0", "99999", "99999", "-1") }

func (r *scribe) number() string {
	return r.pick("0", "1", "1", "5", "100", "999999999999999999", "18446744073709551616", "-1", "x", "")
}

// cas is now and then the right one.
func (r *scribe) cas() string { return r.pick(r.lastCAS, r.lastCAS, r.lastCAS, "1", "0", "999999999") }

func (r *scribe) flags() string { return r.pick("0", "0", "7", "4294967295") }

func (r *scribe) classic() string {
	quiet := r.pick("", "", "", " noreply")
	k, v := r.key(), r.value()
	switch r.IntN(12) {
	case 0, 1, 2:
		cmd := r.pick("set", "set", "add", "replace", "append", "prepend")
		return fmt.Sprintf("%s %s %s %s %d%s\r\n%s\r\n", cmd, k, r.flags(), r.ttl(), len(v), quiet, v)
	case 3:
		return fmt.Sprintf("cas %s %s %s %d %s%s\r\n%s\r\n", k, r.flags(), r.ttl(), len(v), r.cas(), quiet, v)
	case 4, 5:
		return fmt.Sprintf("%s %s %s %s\r\n", r.pick("get", "gets"), k, r.key(), r.key())
	case 6:
		return fmt.Sprintf("%s %s %s %s\r\n", r.pick("gat", "gats"), r.ttl(), k, r.key())
	case 7:
		return fmt.Sprintf("touch %s %s%s\r\n", k, r.ttl(), quiet)
	case 8, 9:
		return fmt.Sprintf("%s %s %s%s\r\n", r.pick("incr", "decr"), k, r.number(), quiet)
	case 10:
		return fmt.Sprintf("delete %s%s\r\n", k, quiet)
	}
	if r.IntN(40) == 0 {
		return r.pick("flush_all\r\n", "flush_all 0\r\n", "flush_all 0 noreply\r\n")
	}
	return "me " + k + r.pick("", " b") + "\r\n"
}

func (r *scribe) meta() string {
	k, v := r.key(), r.value()
	switch r.IntN(8) {
	case 0, 1, 2:
		return fmt.Sprintf("mg %s%s\r\n", k, r.metaFlags("b", "c", "f", "h", "k", "s", "t", "u", "v", "v", "q", "l", "Oabc",
			"N"+r.ttl(), "R"+r.pick("30", "888888"), "T"+r.ttl()))
	case 3, 4, 5:
		return fmt.Sprintf("ms %s %d%s\r\n%s\r\n", k, len(v), r.metaFlags("b", "c", "k", "q", "Oxyz", "I", "C"+r.cas(),
			"F"+r.flags(), "T"+r.ttl(), "M"+r.pick("E", "A", "P", "R", "S", "X")), v)
	case 6:
		return fmt.Sprintf("md %s%s\r\n", k, r.metaFlags("b", "k", "q", "O1", "I", "I", "T"+r.ttl(), "C"+r.cas()))
	}
	return fmt.Sprintf("ma %s%s\r\n", k, r.metaFlags("b", "k", "q", "O1", "v", "v", "t", "c", "N"+r.ttl(), "J"+r.number(),
		"D"+r.number(), "T"+r.ttl(), "C"+r.cas(), "M"+r.pick("I", "D", "+", "-", "x")))
}

// metaFlags picks some of the flags, now and then one twice.
func (r *scribe) metaFlags(from ...string) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(" " + r.pick(from...))
	}
	return b.String()
}

func (r *scribe) request() string {
	if r.IntN(2) == 0 {
		return r.classic()
	}
	return r.meta()
}

// garble changes a request somewhere.
func (r *scribe) garble(s string) string {
	at := r.IntN(len(s))
	switch r.IntN(5) {
	case 0:
		return s[:at] + s[at+1:]
	case 1:
		return s[:at] + string(rune("\x00\t\r\n -+09azM\x7f"[r.IntN(13)])) + s[at:]
	case 2:
		return s[:at] + " " + s[at:]
	case 3:
		return s[:at]
	default:
		return s[:at] + s[at:] + s[at:]
	}
}

// times are what may differ by the second in which a server happens to be: the
// rest of a ttl, the time since the last access, and me's variants of both.
var times = regexp.MustCompile(`( t| l| exp=-?| la=)\d+`)

func normal(reply string) string {
	return times.ReplaceAllStringFunc(reply, func(s string) string {
		switch s {
		case " t-1", " exp=-1":
			return s
		}
		return strings.TrimRight(s, "-0123456789") + "?"
	})
}

// counted are the stats that must agree after the same requests. How often
// something expired was met differs: memcached also meets it when it makes room.
var counted = regexp.MustCompile(`STAT (cmd_\w+|(get|delete|incr|decr|cas|touch)_(hits|misses|badval)|curr_items|total_items|bytes|store_too_large) (\d+)`)

func TestRandomRequestsGetTheSameReplies(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			real := dialTalker(t, realMemcached(t, "-o", "no_lru_crawler,no_lru_maintainer"))
			ours := dialTalker(t, mctest.Start(t).Addr())
			r := newScribe(seed)
			for i := range 4000 {
				r.learn(compareReplies(t, i, r.request(), real.ask, ours.ask))
			}
			// What has expired goes when it is asked for, there as here.
			compareReplies(t, -1, "get a b c n m long Zm9v YmFy foo bar\r\nmg long b\r\n", real.ask, ours.ask)
			want := counted.FindAllString(real.ask("stats\r\n"), -1)
			got := counted.FindAllString(ours.ask("stats\r\n"), -1)
			if len(want) < 20 || strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("counters differ\n got %q\nwant %q", got, want)
			}
		})
	}
}

func TestGarbledRequestsGetTheSameReplies(t *testing.T) {
	for seed := range *seeds / 2 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			real, ours := realMemcached(t, "-o", "no_lru_crawler,no_lru_maintainer"), mctest.Start(t).Addr()
			r := newScribe(1000 + seed)
			for i := range 2000 {
				request := r.garble(r.request())
				compareReplies(t, i, request,
					func(s string) string { return conversation(t, real, s) },
					func(s string) string { return conversation(t, ours, s) })
			}
		})
	}
}

func compareReplies(t *testing.T, i int, request string, real, ours func(string) string) (reply string) {
	t.Helper()
	want, got := real(request), ours(request)
	if normal(got) != normal(want) {
		t.Fatalf("request %d %q\n got %q\nwant %q", i, request, got, want)
	}
	return want
}

// conversation sends requests on a connection of their own, half closes it, and
// returns all that comes back.
func conversation(t *testing.T, addr, requests string) string {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write([]byte(requests)); err != nil {
		t.Fatal(err)
	}
	_ = nc.(*net.TCPConn).CloseWrite()
	reply, err := io.ReadAll(nc)
	if err != nil {
		t.Fatalf("%q: %v", requests, err)
	}
	return string(reply)
}
