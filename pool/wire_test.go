package pool

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// plainDial dials addr and hides that it is a plain socket, so that the pool takes
// the way of TLS and of callers' own connections.
func plainDial(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return struct{ net.Conn }{nc}, nil
	}
}

func TestCancelledCallerReturnsThoughHisWriteIsStuck(t *testing.T) {
	stuck := script(t, (*peer).stand)
	dials := map[string]func(context.Context) (net.Conn, error){"raw": nil, "plain": plainDial(stuck)}
	for name, dial := range dials {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, stuck, Config{Conns: 1, LargeValue: 1 << 30, Timeout: time.Minute, Dial: dial})
			p.Start(background, get("first")) // makes the connection
			eventually(t, "a connection is made", func() bool { return p.Stats().InFlight == 1 })
			within(t, patience, "sets that the server does not read", func() {
				for _, size := range []int{15 << 20, 10} {
					r := set("key", strings.Repeat("v", size))
					ctx, cancel := context.WithTimeout(background, 100*time.Millisecond)
					err := p.Do(ctx, r)
					cancel()
					wantSent(t, err, context.DeadlineExceeded, true)
				}
			})
		})
	}
}

// TestLargeValuesFlowBothWays: a server does not read while it waits to write. Were
// our reader to wait to write as well, both would wait for ever.
func TestLargeValuesFlowBothWays(t *testing.T) {
	addr := memcached(t, "-I", "8m", "-m", "256")
	p := newPool(t, addr, Config{Conns: 1, Timeout: 5 * time.Second, Dial: plainDial(addr)})
	value := strings.Repeat("v", 4<<20)
	must(t, p.Do(background, set("key", value)))
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for range 10 {
				r := get("key")
				if i%2 == 0 {
					r = set("other", value)
				}
				if err := p.Do(background, r); err != nil {
					t.Error(err)
					return
				}
				if i%2 == 1 && len(r.Reply.Value) != len(value) {
					t.Errorf("got %d bytes", len(r.Reply.Value))
				}
			}
		})
	}
	callers.Wait()
	if s := p.Stats(); s.Lost > 0 {
		t.Errorf("%+v", s)
	}
}

// busyWire is a socket that takes everything, while others keep adding requests.
type busyWire struct {
	netWire
	c       *conn
	more    []*Request
	written int // by callers
}

func (w *busyWire) write(b []byte, _ bool) (int, error) {
	w.written++
	w.push()
	return len(b), nil
}

func (w *busyWire) writeAll([]byte) error {
	w.push()
	return nil
}

func (w *busyWire) push() {
	if len(w.more) > 0 {
		w.c.push(w.more[0], false)
		w.more = w.more[1:]
	}
}

// TestCallerWritesOnlyAFewBatchesForOthers, however many of them there are.
func TestCallerWritesOnlyAFewBatchesForOthers(t *testing.T) {
	p := newPool(t, "none", Config{})
	w := &busyWire{}
	c := newConn(&p.small, w, 1, proto.Meta)
	c.reader, w.c = readerServe, c
	for range 50 {
		r := get("key")
		must(t, p.prepare(background, r))
		w.more = append(w.more, r)
	}
	w.push()
	must(t, c.writeBatches())
	c.writers.Wait()
	if w.written != writerBatches || len(w.more) > 0 || c.writing {
		t.Errorf("the caller wrote %d batches, want %d; %d are not sent", w.written, writerBatches, len(w.more))
	}
}
