package client

import (
	"context"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
)

// call is one operation with one key. Calls are reused.
type call struct {
	pool.Request
	exptime int32 // as the caller wants it; a stand-in gets no more than StandInTTL
	count   int64 // operations since the budget was last told
	item    *Item // made by alloc together with the value
}

func newEmptyCall() any {
	k := new(call)
	k.Alloc = k.alloc
	return k
}

// newCall returns a call for the given operation.
func (c *Client) newCall(op proto.Op, key string) *call {
	k := c.calls.Get().(*call)
	k.Op, k.Key = op, key
	if k.count++; k.count == earnEvery {
		c.budget.earn(k.count)
		k.count = 0
	}
	return k
}

// free takes a call back that has ended.
func (c *Client) free(k *call) {
	if k.Op == proto.OpGet {
		k.Key, k.Reply = "", proto.Reply{} // a get sets nothing else, and most are gets
	} else {
		k.Reset()
		k.exptime = 0
	}
	k.item = nil
	c.calls.Put(k)
}

// expiring sets the expiration.
func (k *call) expiring(exptime int32) {
	k.exptime, k.Exptime = exptime, exptime
}

// What follows says which operations may be repeated and what they leave behind.

// repeatable reports whether the operation may be sent to another server though
// the first may have carried it out, or may still do so. The others would count,
// append or compare twice.
func repeatable(op proto.Op) bool {
	switch op {
	case proto.OpGet, proto.OpGetInto, proto.OpGetAndTouch, proto.OpGetMulti,
		proto.OpSet, proto.OpDelete, proto.OpTouch:
		return true
	}
	return false
}

// writes reports whether the operation changes anything: what another server
// answered, home has missed.
func writes(op proto.Op) bool {
	return op != proto.OpGet && op != proto.OpGetInto && op != proto.OpGetMulti
}

// harmsLate reports whether it does harm if the operation is carried out late,
// after others that were answered. Additions do not mind in which order they come.
func harmsLate(op proto.Op) bool {
	return writes(op) && op != proto.OpIncrement && op != proto.OpDecrement
}

// miss answers an operation that needs a value as if there were none, and reports
// whether it is one.
func (k *call) miss() bool {
	switch k.Op {
	case proto.OpSet, proto.OpAdd, proto.OpDelete:
		return false
	case proto.OpReplace, proto.OpAppend, proto.OpPrepend:
		k.Reply = proto.Reply{Status: proto.NotStored}
	default:
		k.Reply = proto.Reply{Status: proto.Miss}
	}
	return true
}

// attemptTimeout is how long the first server may take. A caller who has less
// time than Timeout gets a second attempt all the same.
func (c *Client) attemptTimeout(ctx context.Context) time.Duration {
	if ends, ok := ctx.Deadline(); ok {
		if half := time.Until(ends) / 2; half < c.cfg.AttemptTimeout {
			return max(half, time.Millisecond)
		}
	}
	return c.cfg.AttemptTimeout
}

// deadline is when a call must be over of which spent is gone already.
func (c *Client) deadline(ctx context.Context, spent time.Duration) time.Time {
	at := time.Now().Add(c.cfg.Timeout - spent)
	if ends, ok := ctx.Deadline(); ok && ends.Before(at) {
		return ends
	}
	return at
}

// do carries k out. A nil error means that a server answered; k.Reply says what.
func (c *Client) do(ctx context.Context, k *call) error {
	snap := c.snap.Load()
	home := snap.servers[snap.home(k.Key)]
	if home.careful.Load() {
		return c.detour(ctx, snap, home, k, nil)
	}
	k.Timeout = c.attemptTimeout(ctx)
	err := home.pool.Do(ctx, &k.Request)
	if err == nil {
		return nil
	}
	return c.detour(ctx, snap, home, k, err)
}
