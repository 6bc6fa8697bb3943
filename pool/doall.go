package pool

import (
	"context"
	"time"
)

// Call is a request and the pool of the server that it is for.
type Call struct {
	Pool    *Pool
	Request *Request
	Err     error
}

// DoAll sends the requests of all calls and then waits for all of them; each Request
// may stand there once. Call.Err is then what Do would have returned. A server that is
// silent holds up the end, but nobody else's replies.
func DoAll(ctx context.Context, calls []Call) {
	if len(calls) == 1 {
		calls[0].Err = calls[0].Pool.Do(ctx, calls[0].Request)
		return
	}
	for i := range calls {
		calls[i].Pool.push(ctx, calls[i].Request, true)
	}
	gather := true // once: meanwhile others add to all our connections
	for i := range calls {
		if r := calls[i].Request; r.owed != nil {
			r.Flush(gather)
			gather = gather && r.leads
		}
	}
	lookAll(calls)
	for i := range calls {
		calls[i].Err = calls[i].Pool.Wait(calls[i].Request)
	}
}

const (
	lookKey = time.Microsecond // how much longer to look for each key
	maxLook = time.Millisecond
)

// lookAll reads for the calls that found an idle connection. It looks at all of those
// in turn for a short while, and does not wait for any of them: a reader who waits
// for one would leave the others unread. Whose reply does not come so soon is read by
// serve.
func lookAll(calls []Call) {
	limit := time.Duration(0)
	may := beginLook()
	if may {
		defer endLook()
	}
	for i := range calls {
		r := calls[i].Request
		if c := r.led; c == nil {
			continue
		} else if may && c.wire.worth() {
			limit = min(limit+spinWait+time.Duration(len(r.Keys))*lookKey, maxLook)
		} else {
			c.abdicate(r)
		}
	}
	if limit == 0 {
		return
	}
	start := time.Now()
	for look := 1; ; look++ {
		letRun(look)
		left := 0
		for i := range calls {
			if r := calls[i].Request; r.led != nil && !r.led.glance(r) {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Since(start) > limit {
			break
		}
	}
	for i := range calls {
		if r := calls[i].Request; r.led != nil {
			r.led.wire.learn(false)
			r.led.abdicate(r)
		}
	}
}

// glance reads what is there, and reports whether r has ended.
func (c *conn) glance(r *Request) bool {
	c.reads.Add(1)
	if n, err := c.wire.glance(c.rbuf[c.rend:]); n > 0 || err != nil {
		c.digestAll(n, err)
	}
	return c.leave(r)
}

// abdicate leaves the reading to serve.
func (c *conn) abdicate(r *Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.led = nil
	r.leads = r.ended
	c.readerLeaves()
}
