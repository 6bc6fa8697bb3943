package pool

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
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
			// The kernel gives up, too, but seconds later.
			if err := p.Wait(r); err == nil || errors.Is(err, ErrConnLost) {
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
