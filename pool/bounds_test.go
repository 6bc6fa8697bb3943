package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/mctest"
)

// TestFullWriteBufferStopsNobodyForGood: the server does not read, and what waits
// in the write buffer reaches its limit before the number of requests does.
func TestFullWriteBufferStopsNobodyForGood(t *testing.T) {
	value := strings.Repeat("v", 64<<10)
	p := newPool(t, script(t, (*peer).stand), Config{Conns: 1, Timeout: 300 * time.Millisecond})
	rs := make([]*Request, 600)
	within(t, patience, "600 sets of 64 KiB to a server that does not read", func() {
		for i := range rs {
			rs[i] = set("key", value)
			p.Start(background, rs[i])
		}
		for _, r := range rs {
			// The kernel gives up, too, but seconds later. Who comes when the connection
			// has been given up, as on a slow machine, is told so at once.
			var e *Error
			if err := p.Wait(r); !errors.As(err, &e) || e.Sent && errors.Is(err, ErrConnLost) {
				t.Fatalf("got %v, want a stalled connection or a timeout of ours", err)
			}
		}
	})
}

// TestTimedOutRequestSaysSentWhileItsBytesMayStillLeave: its bytes lie in the write
// buffer of a connection that goes on.
func TestTimedOutRequestSaysSentWhileItsBytesMayStillLeave(t *testing.T) {
	value := strings.Repeat("v", 64<<10)
	read := make(chan struct{})
	got := make(chan string, 1)
	p := newPool(t, script(t, func(p *peer) {
		<-read
		for line := p.line(); line != ""; line = p.line() {
			if strings.HasPrefix(line, "ma ") {
				got <- line
			}
		}
	}), Config{Conns: 1, Timeout: 5 * time.Second})
	rs := make([]*Request, 200)
	for i := range rs {
		rs[i] = set("key", value)
		p.Start(background, rs[i])
	}
	r := &Request{Request: proto.Request{Op: proto.OpIncrement, Key: "n", Delta: 1}, Timeout: 20 * time.Millisecond}
	err := p.Do(background, r)
	close(read)
	arrived := false
	select {
	case <-got:
		arrived = true
	case <-time.After(2 * time.Second):
	}
	if e, ok := err.(*Error); !ok || arrived && !e.Sent {
		t.Errorf("the server got the request, but its caller was told %#v", err)
	}
	p.Drain(ErrConnLost)
	for _, r := range rs {
		_ = p.Wait(r)
	}
}

// TestRequestsBeyondMaxInFlightWaitTheirTurn: they get ErrBusy where their time ends
// first, and are sent as soon as there is room.
func TestRequestsBeyondMaxInFlightWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := inMemory(t, mctest.Config{}, Config{Conns: 2, MaxInFlight: 3, Timeout: time.Second})
		must(t, p.Do(background, get("key")))
		first := make([]*Request, 6)
		s.Slow(time.Millisecond)
		for range 4 {
			first[0] = get("key")
			p.Start(background, first[0]) // the last one opens a connection
		}
		time.Sleep(time.Second)
		s.Slow(100 * time.Millisecond)
		for i := range first {
			first[i] = get("key")
			p.Start(background, first[i])
		}
		hasty, patient := get("key"), get("key")
		hasty.Timeout = 40 * time.Millisecond
		p.Start(background, hasty)
		p.Start(background, patient)
		if st := p.Stats(); st.InFlight != 6 || st.Waiting != 2 {
			t.Errorf("%+v, want 6 under way and 2 waiting", st)
		}
		if d := took(func() { wantSent(t, p.Wait(hasty), ErrBusy, false) }); d > 40*time.Millisecond+grace {
			t.Errorf("a request with 40ms waited %v for room", d)
		}
		ctx, cancel := context.WithCancel(background)
		cancelled := get("key")
		p.Start(ctx, cancelled)
		cancel()
		if d := took(func() { wantSent(t, p.Wait(cancelled), context.Canceled, false) }); d > grace {
			t.Errorf("a cancelled request waited %v for room", d)
		}
		for _, r := range append(first, patient) {
			must(t, p.Wait(r))
		}
		if st := p.Stats(); st.Dials != 2 || st.Requests != 12 {
			t.Errorf("%+v, want 2 dials and 12 requests", st)
		}
	})
}

// TestRequestsAreSentInTheOrderOfTheirArrival: those in the queue do not overtake
// each other, and nobody overtakes them.
func TestRequestsAreSentInTheOrderOfTheirArrival(t *testing.T) {
	var mu sync.Mutex
	var order []string
	goOn := make(chan struct{})
	p := newPool(t, script(t, func(c *peer) {
		<-goOn
		for line := c.line(); line != ""; line = c.line() {
			mu.Lock()
			order = append(order, strings.Fields(line)[1])
			mu.Unlock()
			c.sayValue(line, "v")
		}
	}), Config{Conns: 1, MaxInFlight: 5, Timeout: patience})
	rs := make([]*Request, 100)
	for i := range rs {
		rs[i] = get(fmt.Sprintf("key%03d", i))
		p.Start(background, rs[i])
	}
	close(goOn)
	for _, r := range rs {
		must(t, p.Wait(r))
	}
	if !slices.IsSorted(order) || len(order) != len(rs) {
		t.Errorf("sent in the order %v", order)
	}
}

// dialLog is a Config.Dial that notes when it was called.
type dialLog struct {
	mu       sync.Mutex // guards the fields below
	times    []time.Time
	under    int
	most     int
	dialling func(context.Context) (net.Conn, error)
}

func (d *dialLog) dial(ctx context.Context) (net.Conn, error) {
	d.mu.Lock()
	d.times = append(d.times, time.Now())
	d.under++
	d.most = max(d.most, d.under)
	d.mu.Unlock()
	nc, err := d.dialling(ctx)
	d.mu.Lock()
	d.under--
	d.mu.Unlock()
	return nc, err
}

// crowd lets 1,000 goroutines call for 3 s and checks that each is back in time.
func crowd(t *testing.T, p *Pool) {
	const timeout = 100 * time.Millisecond
	var callers sync.WaitGroup
	began := time.Now()
	for range 1000 {
		callers.Go(func() {
			for time.Since(began) < 3*time.Second {
				var err error
				if d := took(func() { err = p.Do(background, get("key")) }); d > timeout+grace || err == nil {
					t.Errorf("a call took %v: %v", d, err)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	callers.Wait()
}

// TestThousandCallersDoNotStormADarkServer: each place dials once per step of its
// backoff, and the steps grow.
func TestThousandCallersDoNotStormADarkServer(t *testing.T) {
	dark := func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	refused := func(context.Context) (net.Conn, error) { return nil, errors.New("refused") }
	for name, dialling := range map[string]func(context.Context) (net.Conn, error){"black hole": dark, "refused": refused} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &dialLog{dialling: dialling}
				cfg := Config{Timeout: 100 * time.Millisecond, DialTimeout: 50 * time.Millisecond, Backoff: 20 * time.Millisecond}
				cfg.Dial = d.dial
				p := newPool(t, "in memory", cfg)
				crowd(t, p)
				// Steps of 20, 40 ... 640 ms, then 1 s, less their random fifth: at
				// most 9 in 3 s for each of the two places.
				if n := len(d.times); n > 18 || n < 8 || d.most > 2 {
					t.Errorf("%d dials, at most %d at once: %v", n, d.most, d.times)
				}
				if n := p.Stats().DialFailures; n != uint64(len(d.times)) {
					t.Errorf("%d of %d failures are counted", n, len(d.times))
				}
			})
		})
	}
}

func TestResetBackoffDialsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := inMemory(t, mctest.Config{}, Config{Conns: 1, Backoff: time.Second})
		must(t, s.Refuse())
		for range 3 {
			err := p.Do(background, get("key"))
			wantSent(t, err, ErrDial, false)
		}
		must(t, s.Heal())
		wantSent(t, p.Do(background, get("key")), ErrDial, false)
		p.ResetBackoff()
		if d := took(func() { must(t, p.Do(background, get("key"))) }); d > 0 {
			t.Errorf("the first call after ResetBackoff took %v", d)
		}
	})
}

// TestServerThatDropsAtOnceIsBackedOffFrom: it accepts, greets and hangs up on the
// first request.
func TestServerThatDropsAtOnceIsBackedOffFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dialLog{dialling: scriptDial(func(c *peer) { c.line() })}
		p := newPool(t, "in memory", Config{Conns: 1, Backoff: 20 * time.Millisecond, Dial: d.dial})
		crowd(t, p)
		if n := len(d.times); n > 10 || n < 4 {
			t.Errorf("%d dials in 3s", n)
		}
	})
}

// TestTimeoutWithoutAConnectionTellsWhy: dials that take their time fail one after
// the other, and there is always another to wait for.
func TestTimeoutWithoutAConnectionTellsWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("certificate has expired")
		p := newPool(t, "in memory", Config{Timeout: 150 * time.Millisecond, Dial: func(context.Context) (net.Conn, error) {
			time.Sleep(100 * time.Millisecond)
			return nil, cause
		}})
		err := p.Do(background, get("key"))
		wantSent(t, err, cause, false)
		wantSent(t, err, ErrDial, false)
	})
}

// TestQueueIsBounded: beyond its bound requests fail at once.
func TestQueueIsBounded(t *testing.T) {
	p := newPool(t, "in memory", Config{Conns: 1, Timeout: patience, Dial: func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, DialTimeout: patience})
	rs := make([]*Request, maxQueue)
	for i := range rs {
		rs[i] = get("key")
		p.Start(background, rs[i])
	}
	wantSent(t, p.Do(background, get("key")), ErrBusy, false)
	p.Drain(ErrConnLost)
	for _, r := range rs {
		wantSent(t, p.Wait(r), ErrConnLost, false)
	}
}

func TestBadConfigurationIsRefusedInWhole(t *testing.T) {
	_, err := New("", Config{Conns: -1, MaxInFlight: -1, Timeout: -1, Password: "p"})
	for _, want := range []string{"Conns", "MaxInFlight", "Timeout", "Password", "address"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := New("h:1", Config{Username: "a b"}); err == nil {
		t.Error("a user name with a space is taken")
	}
	if _, err := New("h:1", Config{Username: "a", Password: "b\r\nflush_all"}); err == nil {
		t.Error("a password with a line end is taken")
	}
}
