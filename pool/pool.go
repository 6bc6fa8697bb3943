// Package pool keeps a small bounded set of pipelined connections to one server.
//
// Callers do not borrow connections: they hand in a [Request], whose bytes join
// those of other callers in one system call, and get it back with its reply, its
// server's error, or the reason why there is no reply. Each reply is matched to its
// request by an opaque number or its key; a connection whose stream is out of step
// is closed. Every wait ends: requests have timeouts that a watchdog enforces
// without a timer for each, dials are bounded and backed off, queues are bounded.
package pool

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// Pool is the connections to one server. All methods are safe for concurrent use.
type Pool struct {
	cfg    Config
	ctx    context.Context // ends with Close; bounds dials
	cancel context.CancelFunc
	seed   maphash.Seed
	small  group // requests and replies of up to LargeValue bytes
	large  group // the others
	sizes  sizes // which keys hold large values

	shareFrom int // the constant, or what a test makes of it

	now   atomic.Int64 // the pool's clock; see watch.go
	armed atomic.Bool  // the watchdog ticks

	nextConn atomic.Uint64
	counters counters
	closed   atomic.Bool
	done     sync.WaitGroup // dials and connections
	ticking  sync.Mutex     // held while the watchdog looks

	mu       sync.Mutex // guards the fields below
	timer    *time.Timer
	lastTick time.Time
}

// maxLargeInFlight bounds the requests on the connection for large values, and
// with it the memory of their buffers.
const maxLargeInFlight = 16

// New returns a pool for the server at addr, "host:port" or "unix:/path". It does
// not connect: connections are made when there is work for them. The error names
// everything that is wrong with the configuration.
func New(addr string, cfg Config) (*Pool, error) {
	cfg, err := cfg.filled(addr)
	if err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg, seed: maphash.MakeSeed(), shareFrom: shareFrom}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.small.init(p, cfg.Conns, cfg.MaxInFlight)
	p.large.init(p, 1, min(maxLargeInFlight, cfg.MaxInFlight))
	p.large.large = true
	return p, nil
}

// Do sends r and waits for its reply. It returns nil where the server answered,
// also with a miss (see Reply.Status); a *proto.ServerError where it answered with
// an error line; proto.ErrMalformedKey without sending anything; and otherwise an
// *Error. It returns soon after ctx ends or r.Timeout is over, whichever is first,
// while the connection goes on.
func (p *Pool) Do(ctx context.Context, r *Request) error {
	if err := p.prepare(ctx, r); err != nil {
		return err
	}
	c, result := p.groupFor(r).send(r, true)
	switch result {
	case pushedLead, pushedRead:
		c.lead(r, result == pushedLead)
		return r.finish()
	case pushedWrite:
		c.write()
	}
	if c != nil && r.rides {
		c.ride(r)
	} else {
		<-r.done
	}
	return r.finish()
}

// Start sends r without waiting, not even for a connection: a request that finds
// none stands in a queue until one is made. Every started request must be waited
// for with Wait, exactly once.
//
// The pool never uses such a caller as a reader: nobody knows when he comes to wait.
func (p *Pool) Start(ctx context.Context, r *Request) {
	p.Push(ctx, r)
	r.Flush(true)
}

// Push is Start without the writing: Flush must follow at once, as others' requests
// may depend on it. A caller with several requests pushes them all and then flushes
// them all, so that those for one connection leave in one system call.
func (p *Pool) Push(ctx context.Context, r *Request) { p.push(ctx, r, false) }

func (p *Pool) push(ctx context.Context, r *Request, mayLead bool) {
	if err := p.prepare(ctx, r); err != nil {
		r.fail(err)
		return
	}
	c, result := p.groupFor(r).send(r, mayLead)
	if result == pushedWrite || result == pushedLead {
		r.owed = c
	}
	if r.leads {
		r.led = c
	}
}

// Flush writes what Push has left to write. With gather it lets others add their
// requests first; where several are flushed, once is enough.
func (r *Request) Flush(gather bool) {
	c := r.owed
	if c == nil {
		return
	}
	r.owed = nil
	if gather && !r.leads {
		c.write()
	} else if err := c.writeBatches(); err != nil {
		c.fail(err)
	}
}

// Wait waits for a started request and returns what Do would.
func (p *Pool) Wait(r *Request) error {
	if !r.leads {
		<-r.done
	}
	return r.finish()
}

func (p *Pool) prepare(ctx context.Context, r *Request) error {
	r.err, r.leads, r.ended, r.rides = nil, false, false, false
	r.Hits = r.Hits[:0]
	if r.done == nil {
		r.done = make(chan struct{}, 1)
	}
	if err := check(&r.Request); err != nil {
		return err
	}
	if r.cancel = ctx.Done(); r.cancel != nil {
		if err := ctx.Err(); err != nil {
			return &Error{Err: err}
		}
		r.ctx = ctx
	}
	if r.Timeout <= 0 {
		r.Timeout = p.cfg.Timeout
	}
	if !p.armed.Load() {
		p.arm()
	}
	// The clock may lag behind by one tick: a request never ends early.
	r.expires = p.now.Load() + int64(r.Timeout) + int64(tick)
	return nil
}

// errCancelled marks a request that the watchdog ended because its context did.
var errCancelled = errors.New("pool: context ended")

// finish returns a request's error to its caller and lets go of his context.
func (r *Request) finish() error {
	err := r.err
	if e, ok := err.(*Error); ok {
		r.lane = 0 // this connection may be stuck: the next attempt is to look for another
		if e.Err == errCancelled {
			e.Err = r.ctx.Err()
		}
	}
	if r.ctx != nil {
		r.ctx, r.cancel = nil, nil
	}
	return err
}

// fail ends a request that no connection has.
func (r *Request) fail(err error) {
	r.err = err
	r.done <- struct{}{}
}

// Drain closes all connections at once and ends every request, under way or
// waiting, with cause. What lay unsent in the sockets never reaches the server.
// The pool stays usable: later requests connect anew.
func (p *Pool) Drain(cause error) {
	for _, g := range p.groups() {
		g.drain(cause)
	}
}

// ResetBackoff lets the next request dial at once. Call it when the server is known
// to answer again.
func (p *Pool) ResetBackoff() {
	for _, g := range p.groups() {
		g.resetBackoff()
	}
}

// Close ends every request with ErrClosed, closes all connections and returns when
// every goroutine of the pool has ended.
func (p *Pool) Close() {
	if p.closed.Swap(true) {
		p.done.Wait()
		return
	}
	p.cancel()
	p.Drain(ErrClosed)
	p.done.Wait()
	p.mu.Lock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	p.ticking.Lock() // a look that had begun is over
	defer p.ticking.Unlock()
}

func (p *Pool) groups() [2]*group { return [2]*group{&p.small, &p.large} }

// groupFor chooses the connections for r.
func (p *Pool) groupFor(r *Request) *group {
	if r.Op.Stores() {
		if len(r.Value) > p.cfg.LargeValue {
			p.sizes.add(maphash.String(p.seed, r.Key))
			return &p.large
		}
		return &p.small
	}
	if !p.sizes.any.Load() {
		return &p.small
	}
	if r.Op == proto.OpGetMulti {
		for _, key := range r.Keys {
			if p.sizes.has(maphash.String(p.seed, key)) {
				return &p.large
			}
		}
		return &p.small
	}
	if r.Op.HasKey() && p.sizes.has(maphash.String(p.seed, r.Key)) {
		return &p.large
	}
	return &p.small
}
