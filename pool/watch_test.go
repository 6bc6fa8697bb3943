package pool

import (
	"context"
	"testing"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// TestCancelledRequestEndsThoughWeAreLate: where our own process is late, requests
// get more time for their replies, but not those whose callers have gone.
func TestCancelledRequestEndsThoughWeAreLate(t *testing.T) {
	p := newPool(t, "none", Config{})
	c := newConn(&p.small, &netWire{}, 1, proto.Meta)
	c.reader = readerCaller // somebody reads, but has not got the processor
	ctx, cancel := context.WithCancel(background)
	cancelled, patient := get("key"), get("key")
	must(t, p.prepare(ctx, cancelled))
	must(t, p.prepare(background, patient))
	c.push(cancelled, false)
	c.push(patient, false)
	cancel()
	var f findings
	c.look(cancelled.expires, true, &f)
	if len(f.ended) != 1 || f.ended[0] != cancelled || cancelled.err.(*Error).Err != errCancelled {
		t.Errorf("%d requests end, want just the cancelled one", len(f.ended))
	}
}

// TestSentIsExact: the writer has taken the first request when the connection ends,
// the second still lies in the buffer.
func TestSentIsExact(t *testing.T) {
	p := newPool(t, "none", Config{})
	c := newConn(&p.small, &netWire{}, 1, proto.Meta)
	c.reader = readerServe
	taken, left := get("key"), get("key")
	for _, r := range []*Request{taken, left} {
		must(t, p.prepare(background, r))
	}
	c.push(taken, false)
	if out := c.takeBatch(); len(out) == 0 {
		t.Fatal("nothing to write")
	}
	c.push(left, false)
	c.mu.Lock()
	c.err = ErrConnLost
	c.mu.Unlock()
	if out := c.takeBatch(); out != nil {
		t.Errorf("%q would be written to a failed connection", out)
	}
	c.endAll()
	wantSent(t, p.Wait(taken), ErrConnLost, true)
	wantSent(t, p.Wait(left), ErrConnLost, false)
}

// TestGraceEnds: a server that keeps sending bytes, or a process that is always
// late, does not keep a request for ever.
func TestGraceEnds(t *testing.T) {
	p := newPool(t, "none", Config{})
	c := newConn(&p.small, &netWire{}, 1, proto.Meta)
	c.reader = readerCaller
	r := get("key")
	must(t, p.prepare(background, r))
	c.push(r, false)
	var f findings
	looks := 0
	for ; len(f.ended) == 0 && looks < 10*maxGrace; looks++ {
		c.look(r.expires, true, &f)
	}
	if looks != maxGrace+1 {
		t.Errorf("the request ended after %d looks, want %d", looks, maxGrace+1)
	}
}
