package pool

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var background = context.Background()

// onlyConn returns the one small connection of p, idle.
func onlyConn(t testing.TB, p *Pool) *conn {
	t.Helper()
	must(t, p.Do(background, get("warm")))
	return p.small.conns[0].Load()
}

// free makes calls in a row until nobody reads the connection, so that the next
// caller leads.
func free(t testing.TB, p *Pool) *conn {
	t.Helper()
	var c *conn
	eventually(t, "nobody reads", func() bool {
		c = onlyConn(t, p)
		for range loneReplies {
			must(t, p.Do(background, get("warm")))
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.reader == readerNone
	})
	return c
}

// TestKickThatComesLateDoesNotLoseTheNextRequest: the watchdog kicks a reader
// after it has let go of the lock. If the reply comes in between, the kick meets
// the next caller, who is about to write and read by himself.
func TestKickThatComesLateDoesNotLoseTheNextRequest(t *testing.T) {
	p := newPool(t, script(t, echo), Config{Conns: 1, Timeout: 2 * time.Second})
	for range 20 {
		free(t, p).wire.kick()
		must(t, p.Do(background, get("key")))
	}
	if n := p.Stats().Dials; n != 1 {
		t.Errorf("%d dials, want the one connection to go on", n)
	}
}

// TestStartedRequestEndsThoughItsConnectionFailsAtOnce: serve gives the reader
// role up, a Start hands it back, and the connection fails, all before serve looks
// again. The request must not be forgotten.
func TestStartedRequestEndsThoughItsConnectionFailsAtOnce(t *testing.T) {
	p := newPool(t, script(t, echo), Config{Conns: 1})
	met := 0
	for range 20 {
		c := onlyConn(t, p)
		r := get("key")
		must(t, p.prepare(background, r))
		if !failBetweenRoles(c, r) {
			continue
		}
		met++
		within(t, patience, "a request on a failed connection", func() { _ = p.Wait(r) })
	}
	if met == 0 {
		t.Error("serve was never met between its roles")
	}
}

// failBetweenRoles does what Start and Drain do, without letting go of the lock,
// when serve has just given the reader role up. To get in between it makes the
// lock hungry: then it goes to those who wait in turn.
func failBetweenRoles(c *conn, r *Request) (met bool) {
	time.Sleep(time.Millisecond) // serve has done with the reply before
	c.mu.Lock()
	c.lone = loneReplies
	if c.reader == readerNone {
		c.reader = readerServe
		c.wake <- struct{}{}
	}
	c.wire.kick()
	time.Sleep(3 * time.Millisecond) // serve waits for the lock in serveOnce
	between := make(chan bool)
	go func() {
		c.mu.Lock()
		met := c.reader == readerNone && c.err == nil
		if met {
			c.enqueue(r)
			c.reader = readerServe
			c.wake <- struct{}{}
			c.err = ErrConnLost
		}
		c.mu.Unlock()
		between <- met
	}()
	time.Sleep(3 * time.Millisecond)
	c.mu.Unlock()
	c.mu.Lock()
	time.Sleep(3 * time.Millisecond)
	c.mu.Unlock()
	if met = <-between; met {
		c.g.lost(c)
		c.wire.abort()
	}
	return met
}

// TestRequestFoundNobodyWatching: a caller sees the watchdog armed, is held up,
// and sends after it has gone to rest. His request must be watched all the same.
func TestRequestFoundNobodyWatching(t *testing.T) {
	hung := script(t, func(p *peer) { p.sayValue(p.line(), "v"); p.untilClosed() })
	p := newPool(t, hung, Config{Conns: 1, Timeout: 20 * time.Millisecond})
	onlyConn(t, p)
	r := get("key")
	must(t, p.prepare(background, r))
	eventually(t, "the watchdog rests", func() bool { return !p.armed.Load() })
	if c, result := p.small.send(r, false); result == pushedWrite {
		c.write()
	}
	within(t, patience, "a request to a hung server", func() {
		if err := p.Wait(r); err == nil {
			t.Error("no error from a server that says nothing")
		}
	})
}

// TestLostConnectionIsDialledOnce: whoever finds a connection gone dials at once,
// while the one who lost it still sets the time of the next dial. Two dials for one
// place would leave a connection that nobody knows, and Close would wait for it.
func TestLostConnectionIsDialledOnce(t *testing.T) {
	var dialling atomic.Int32
	dial := scriptDial((*peer).untilClosed)
	p := newPool(t, "none", Config{Conns: 1, Dial: func(ctx context.Context) (net.Conn, error) {
		if dialling.Add(1) > 1 {
			t.Error("two dials for one place")
		}
		defer dialling.Add(-1)
		time.Sleep(100 * time.Microsecond)
		return dial(ctx)
	}})
	g := &p.small
	var dialler sync.WaitGroup
	var stop atomic.Bool
	dialler.Go(func() {
		for !stop.Load() {
			g.dial(0)
			runtime.Gosched()
		}
	})
	for range 100 {
		eventually(t, "a connection is made", func() bool { return g.conns[0].Load() != nil })
		g.conns[0].Load().fail(ErrConnLost) // which has served nobody: it backs off
		g.resetBackoff()
	}
	stop.Store(true)
	dialler.Wait()
}

// TestRoomThatComesWhileARequestQueuesIsUsedAtOnce: pick found every connection
// full, and the last reply came before the request stood in the queue.
func TestRoomThatComesWhileARequestQueuesIsUsedAtOnce(t *testing.T) {
	p := newPool(t, script(t, echo), Config{Conns: 1, Timeout: patience})
	onlyConn(t, p)
	r := get("key")
	must(t, p.prepare(background, r))
	p.small.wait(r)
	if n := p.Stats().Waiting; n > 0 {
		t.Errorf("%d requests wait for an idle connection", n)
	}
	must(t, p.Wait(r))
}
