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
