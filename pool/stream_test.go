package pool

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// failures collects what a pool tells of.
type failures chan Failure

func (f failures) told(x Failure) { f <- x }

// next returns the next failure.
func (f failures) next(t *testing.T) Failure {
	t.Helper()
	select {
	case x := <-f:
		return x
	case <-time.After(patience):
		t.Fatal("told of nothing")
		return Failure{}
	}
}

// TestBytesThatNobodyAskedForCloseTheConnection: behind a reply in the same packet,
// or on a connection where nothing is under way.
func TestBytesThatNobodyAskedForCloseTheConnection(t *testing.T) {
	for name, serve := range map[string]func(*peer, string){
		"behind a reply": func(c *peer, line string) {
			c.say("EN " + opaque(line) + "\r\nVA 1 O0\r\nx\r\n")
		},
		"half a line behind a reply": func(c *peer, line string) {
			c.say("EN " + opaque(line) + "\r\nV")
		},
		"later": func(c *peer, line string) {
			c.say("EN " + opaque(line) + "\r\n")
			time.Sleep(3 * tick)
			c.say("EN\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			told := make(failures, 10)
			p := newPool(t, script(t, func(c *peer) {
				if line := c.line(); line != "" {
					serve(c, line)
				}
				c.untilClosed()
			}), Config{Conns: 1, Timeout: patience, OnFailure: told.told})
			must(t, p.Do(background, get("key")))
			if f := told.next(t); f.Kind != Garbled || !errors.Is(f.Err, proto.ErrMalformed) {
				t.Errorf("told of %+v", f)
			}
			must(t, p.Do(background, get("key")))
			if s := p.Stats(); s.Dials != 2 || s.Mismatches == 0 {
				t.Errorf("%+v, want a new connection and a mismatch", s)
			}
		})
	}
}

// TestErrorLineIsItsRequestsOwn: the connection goes on, unless the server may read
// a refused value as commands.
func TestErrorLineIsItsRequestsOwn(t *testing.T) {
	for line, keeps := range map[string]bool{
		"SERVER_ERROR out of memory storing object": true,
		"CLIENT_ERROR bad data chunk":               false,
		"ERROR":                                     false,
	} {
		t.Run(line, func(t *testing.T) {
			told := make(failures, 10)
			p := newPool(t, script(t, func(c *peer) {
				for l := c.line(); l != ""; l = c.line() {
					if strings.HasPrefix(l, "ms ") {
						c.line() // the value
						c.say(line + "\r\n")
						continue
					}
					c.sayValue(l, "v")
				}
			}), Config{Conns: 1, Timeout: patience, OnFailure: told.told})
			var refused *proto.ServerError
			if err := p.Do(background, set("key", "v")); !errors.As(err, &refused) || refused.Line != line {
				t.Fatalf("got %v", err)
			}
			must(t, p.Do(background, get("key")))
			for range 200 { // who is woken with the error must not meet the connection again
				_ = p.Do(background, set("key", "v"))
				must(t, p.Do(background, get("key")))
			}
			if s := p.Stats(); (s.Dials == 1) != keeps || s.Mismatches > 0 {
				t.Errorf("%+v; the connection should go on: %v", s, keeps)
			}
		})
	}
}

// TestLostConnectionTellsWhoWasHit: how many requests were under way, and that the
// server was at fault.
func TestLostConnectionTellsWhoWasHit(t *testing.T) {
	told := make(failures, 10)
	p := newPool(t, script(t, func(c *peer) {
		c.sayValue(c.line(), "warm")
		for range 3 {
			c.line()
		}
	}), Config{Conns: 1, Timeout: patience, OnFailure: told.told})
	must(t, p.Do(background, get("warm")))
	rs := []*Request{get("a"), get("b"), get("c")}
	for _, r := range rs {
		p.Start(background, r)
	}
	for _, r := range rs {
		wantSent(t, p.Wait(r), ErrConnLost, true)
	}
	if f := told.next(t); f.Kind != Lost || f.Count != 3 || f.Conn == 0 || f.Kind.String() != "connection lost" {
		t.Errorf("told of %+v (%v)", f, f.Kind)
	}
	if s := p.Stats(); s.Lost != 1 {
		t.Errorf("%+v", s)
	}
}

// TestFailedConnectionTakesNoMore, though somebody still has it in his hands.
func TestFailedConnectionTakesNoMore(t *testing.T) {
	p := newPool(t, script(t, echo), Config{Conns: 1, Timeout: patience})
	c := onlyConn(t, p)
	c.fail(ErrConnLost)
	r := get("key")
	must(t, p.prepare(background, r))
	if got := c.push(r, true); got != notPushed {
		t.Errorf("push on a failed connection returned %v", got)
	}
}

// TestConnectionIsClosedBeforeAnybodyIsWoken: who is woken with his reply may send
// again at once, and must not meet a connection whose stream is out of step.
func TestConnectionIsClosedBeforeAnybodyIsWoken(t *testing.T) {
	first, second := get("a"), get("b")
	woken := make(chan int, 1)
	p := newPool(t, script(t, func(c *peer) {
		c.sayValue(c.line(), "warm")
		line := c.line()
		c.line()
		c.say("EN " + opaque(line) + "\r\ngarbage\r\n")
		c.untilClosed()
	}), Config{Conns: 1, Timeout: patience, OnFailure: func(Failure) { woken <- len(first.done) }})
	onlyConn(t, p)
	p.Start(background, first)
	p.Start(background, second)
	if n := <-woken; n > 0 {
		t.Error("the first caller was woken before the connection was closed")
	}
	must(t, p.Wait(first))
	wantSent(t, p.Wait(second), proto.ErrMalformed, true)
}
