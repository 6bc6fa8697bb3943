package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/mctest"
)

// servers are what every operation must work with alike: real memcached in both
// dialects, and imitations of old ones.
func servers(t *testing.T) map[string]*Pool {
	t.Helper()
	addr := memcached(t)
	cfg := Config{Timeout: 2 * time.Second} // a busy machine must not fail these tests
	classic := cfg
	classic.Dial = func(ctx context.Context) (net.Conn, error) {
		nc, err := plainDial(addr)(ctx)
		return withoutMeta{nc}, err
	}
	return map[string]*Pool{
		"real memcached":         newPool(t, addr, cfg),
		"real memcached classic": newPool(t, addr, classic),
		"mctest":                 newPool(t, mctest.Start(t).Addr(), cfg),
		"mctest 1.5":             newPool(t, mctest.Start(t, mctest.Config{Version: "1.5.22"}).Addr(), cfg),
		"mctest 1.4":             newPool(t, mctest.Start(t, mctest.Config{Version: "1.4.15"}).Addr(), cfg),
	}
}

// withoutMeta makes a server deny that it knows meta commands.
type withoutMeta struct{ net.Conn }

func (c withoutMeta) Write(b []byte) (int, error) {
	if string(b) == "mn\r\n" {
		b = []byte("??\r\n")
	}
	return c.Conn.Write(b)
}

// step is one operation and what must come of it.
type step struct {
	r      proto.Request
	status proto.Status
	reply  proto.Reply // Status aside, and CAS where noCAS
	failed string      // the beginning of the server's error line
}

func value(v string) []byte { return []byte(v) }

// story tells of one key, step after step.
func story(key string) []step {
	req := func(op proto.Op) proto.Request { return proto.Request{Op: op, Key: key} }
	store := func(op proto.Op, v string) proto.Request {
		return proto.Request{Op: op, Key: key, Value: value(v), Flags: 7}
	}
	count := func(op proto.Op, delta uint64) proto.Request {
		return proto.Request{Op: op, Key: key, Delta: delta}
	}
	return []step{
		{r: req(proto.OpGet), status: proto.Miss},
		{r: req(proto.OpGetInto), status: proto.Miss},
		{r: req(proto.OpGetAndTouch), status: proto.Miss},
		{r: req(proto.OpDelete), status: proto.Miss},
		{r: req(proto.OpTouch), status: proto.Miss},
		{r: count(proto.OpIncrement, 1), status: proto.Miss},
		{r: count(proto.OpDecrement, 1), status: proto.Miss},
		{r: store(proto.OpReplace, "r"), status: proto.NotStored},
		{r: store(proto.OpAppend, "r"), status: proto.NotStored},
		{r: store(proto.OpPrepend, "r"), status: proto.NotStored},
		{r: proto.Request{Op: proto.OpCAS, Key: key, Value: value("c"), CAS: 1}, status: proto.Miss},
		{r: store(proto.OpAdd, "b")},
		{r: store(proto.OpAdd, "again"), status: proto.NotStored},
		{r: store(proto.OpAppend, "c")},
		{r: store(proto.OpPrepend, "a")},
		{r: req(proto.OpGet), reply: proto.Reply{Value: value("abc"), Flags: 7}},
		{r: req(proto.OpGetInto), reply: proto.Reply{Value: value("dst abc")}},
		{r: count(proto.OpIncrement, 1), failed: "CLIENT_ERROR cannot increment or decrement non-numeric value"},
		{r: store(proto.OpReplace, "END\r\n")},
		{r: req(proto.OpGet), reply: proto.Reply{Value: value("END\r\n"), Flags: 7}},
		{r: store(proto.OpSet, "")},
		{r: req(proto.OpGet), reply: proto.Reply{Value: []byte{}, Flags: 7}},
		{r: proto.Request{Op: proto.OpCAS, Key: key, Value: value("c"), CAS: 1 << 60}, status: proto.Exists},
		{r: proto.Request{Op: proto.OpCAS, Key: key, Value: value("c"), CAS: 0}, status: proto.Exists},
		{r: store(proto.OpSet, "10")},
		{r: count(proto.OpDecrement, 1), reply: proto.Reply{Number: 9}}, // stored as "9 "
		{r: count(proto.OpDecrement, 3), reply: proto.Reply{Number: 6}},
		{r: count(proto.OpDecrement, 100), reply: proto.Reply{Number: 0}},
		{r: count(proto.OpIncrement, 1<<64-1), reply: proto.Reply{Number: 1<<64 - 1}},
		{r: count(proto.OpIncrement, 2), reply: proto.Reply{Number: 1}}, // it wraps around
		{r: proto.Request{Op: proto.OpTouch, Key: key, Exptime: 100}},
		{r: store(proto.OpSet, "t")},
		{r: proto.Request{Op: proto.OpGetAndTouch, Key: key, Exptime: 100}, reply: proto.Reply{Value: value("t"), Flags: 7}},
		{r: proto.Request{Op: proto.OpTouch, Key: key, Exptime: -1}},
		{r: req(proto.OpGet), status: proto.Miss},
		{r: proto.Request{Op: proto.OpSet, Key: key, Value: value("e"), Exptime: -1}},
		{r: req(proto.OpGet), status: proto.Miss},
		{r: store(proto.OpSet, strings.Repeat("x", 2<<20)), failed: "SERVER_ERROR object too large for cache"},
		{r: store(proto.OpSet, "last")},
		{r: req(proto.OpDelete)},
		{r: req(proto.OpDelete), status: proto.Miss},
		{r: proto.Request{Op: proto.OpPing}},
	}
}

func TestEveryOperationOnEveryKindOfServer(t *testing.T) {
	for name, p := range servers(t) {
		t.Run(name, func(t *testing.T) {
			for i, s := range story("key") {
				if err := s.tell(p); err != nil {
					t.Fatalf("step %d, %v: %v", i, s.r.Op, err)
				}
			}
			wantDialect(t, p, name)
		})
	}
}

// tell carries s out and compares.
func (s *step) tell(p *Pool) error {
	r := Request{Request: s.r, Dst: value("dst ")}
	err := p.Do(background, &r)
	var refused *proto.ServerError
	if errors.As(err, &refused) && s.failed != "" && strings.HasPrefix(refused.Line, s.failed) {
		return nil
	}
	if err != nil || s.failed != "" {
		return fmt.Errorf("error %v, want %q", err, s.failed)
	}
	got := r.Reply
	if got.Status != s.status {
		return fmt.Errorf("status %v, want %v", got.Status, s.status)
	}
	if s.status != proto.OK && s.r.Op == proto.OpGetInto {
		return nil // the value of a miss is nobody's business
	}
	if got.Value != nil && s.r.Op != proto.OpGetInto && got.CAS == 0 {
		return errors.New("a value came without its CAS token")
	}
	got.Status, got.CAS, got.Admin = 0, 0, nil
	if s.r.Op == proto.OpGetInto {
		got.Flags = 0 // not asked for; the classic dialect tells them all the same
	}
	if !reflect.DeepEqual(got, s.reply) {
		return fmt.Errorf("%+v, want %+v", got, s.reply)
	}
	return nil
}

// wantDialect checks that the test has met the dialect that it says.
func wantDialect(t *testing.T, p *Pool, name string) {
	t.Helper()
	want := proto.Meta
	if strings.Contains(name, "classic") || strings.Contains(name, "1.") {
		want = proto.Classic
	}
	must(t, p.Do(background, get("key")))
	for i := range p.small.conns {
		if c := p.small.conns[i].Load(); c != nil && c.dialect != want {
			t.Errorf("the connection speaks %v, want %v", c.dialect, want)
		}
	}
}

func TestCompareAndSwapTakesTheTokenOfGet(t *testing.T) {
	for name, p := range servers(t) {
		t.Run(name, func(t *testing.T) {
			must(t, p.Do(background, set("cas", "1")))
			r := get("cas")
			must(t, p.Do(background, r))
			swap := func() proto.Status {
				s := &Request{Request: proto.Request{Op: proto.OpCAS, Key: "cas", Value: value("2"), CAS: r.Reply.CAS}}
				must(t, p.Do(background, s))
				return s.Reply.Status
			}
			if first, second := swap(), swap(); first != proto.OK || second != proto.Exists {
				t.Errorf("the token counts as %v, then %v", first, second)
			}
		})
	}
}

func TestMultiGetFindsWhatThereIsInOrder(t *testing.T) {
	for name, p := range servers(t) {
		for _, n := range []int{1, 2, 16, 17, 500} {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				keys := make([]string, n)
				for i := range keys {
					keys[i] = fmt.Sprint("multi", i)
					if i%3 != 1 {
						must(t, p.Do(background, set(keys[i], "v"+keys[i])))
					}
				}
				keys = append(keys, keys[0]) // asked for twice
				r := &Request{Request: proto.Request{Op: proto.OpGetMulti, Keys: keys}}
				must(t, p.Do(background, r))
				next := 0
				for _, h := range r.Hits {
					for next%3 == 1 && next < n {
						next++
					}
					if h.Index != next || string(h.Value) != "v"+keys[next] || h.CAS == 0 {
						t.Fatalf("hit %+v, want that of key %d", h, next)
					}
					next++
				}
				if next != len(keys) {
					t.Errorf("hits end before key %d of %d", next, len(keys))
				}
			})
		}
	}
}

func TestVersionStatsAndFlush(t *testing.T) {
	for name, p := range servers(t) {
		t.Run(name, func(t *testing.T) {
			v := &Request{Request: proto.Request{Op: proto.OpVersion}}
			must(t, p.Do(background, v))
			if !strings.HasPrefix(v.Reply.Admin.Version, "1.") {
				t.Errorf("version %q", v.Reply.Admin.Version)
			}
			must(t, p.Do(background, set("flushed", "v")))
			must(t, p.Do(background, &Request{Request: proto.Request{Op: proto.OpFlushAll}}))
			r := get("flushed")
			must(t, p.Do(background, r))
			if r.Reply.Status != proto.Miss {
				t.Error("a value outlives flush_all")
			}
			for arg, want := range map[string]string{"": "pid", "settings": "maxconns"} {
				s := &Request{Request: proto.Request{Op: proto.OpStats, Key: arg}}
				must(t, p.Do(background, s))
				found := false
				for _, line := range s.Reply.Admin.Stats {
					found = found || line[0] == want && line[1] != ""
				}
				if !found {
					t.Errorf("stats %q without %s: %v", arg, want, s.Reply.Admin.Stats)
				}
			}
		})
	}
}

func TestBadRequestsAreNotSent(t *testing.T) {
	p := newPool(t, "127.0.0.1:1", Config{})
	for _, r := range []proto.Request{
		{Op: proto.OpGet, Key: ""},
		{Op: proto.OpSet, Key: "a b"},
		{Op: proto.OpDelete, Key: "a\r\nflush_all"},
		{Op: proto.OpGetMulti, Keys: []string{"good", "b\nd"}},
		{Op: proto.OpGetMulti},
	} {
		if err := p.Do(background, &Request{Request: r}); err != proto.ErrMalformedKey {
			t.Errorf("%v %q: %v", r.Op, r.Key, err)
		}
		started := &Request{Request: r}
		p.Start(background, started)
		if err := p.Wait(started); err != proto.ErrMalformedKey {
			t.Errorf("%v %q started: %v", r.Op, r.Key, err)
		}
	}
	if err := p.Do(background, &Request{Request: proto.Request{Op: proto.OpStats, Key: "a\r\nflush_all"}}); err == nil {
		t.Error("a stats argument with a line end is taken")
	}
	if n := p.Stats().Dials; n != 0 {
		t.Errorf("%d dials for requests that must not be sent", n)
	}
}
