package pool

import (
	"errors"
	"fmt"
	"io"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// outcome is a reply, complete or about to be.
type outcome struct {
	req   *Request
	reply proto.Reply
	hits  int // how many of conn.hits
}

// lead reads the connection until r has ended. The caller holds the reader role,
// and with send also the writer role.
func (c *conn) lead(r *Request, send bool) {
	for {
		var n int
		var err error
		c.reads.Add(1)
		if send {
			c.awaitPartner()
			send = false
			n, err = c.wire.exchange(c.sendFn, c.rbuf[c.rend:])
		} else {
			n, err = c.wire.read(c.rbuf[c.rend:], 0)
		}
		c.digestAll(n, err)
		if c.leave(r) {
			return
		}
	}
}

// digestAll digests what a leader has read, to the last reply.
func (c *conn) digestAll(n int, err error) {
	err = c.took(n, err)
	for err == nil && c.backlog.Load() {
		err = c.digest()
	}
	if err != nil {
		c.fail(err)
	}
	c.wakeLast()
	if err != nil {
		c.endAll()
	}
}

// leave ends r's time as the leader if r has ended. Who still waits is then read
// for by serve, never by another caller: that one may be about to give up.
func (c *conn) leave(r *Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !r.ended {
		return false
	}
	if r.led != nil {
		r.led = nil
		if r.err == nil {
			c.wire.learn(true)
		}
	}
	c.readerLeaves()
	return true
}

// readerLeaves takes the reader role from a caller. The caller of it holds mu.
func (c *conn) readerLeaves() {
	c.reader = readerNone
	if c.head != nil || c.err != nil {
		c.reader = readerServe
		c.wake <- struct{}{}
	}
}

// took digests what a read brought. A kick is no error: whoever kicked has left
// word of why.
func (c *conn) took(n int, err error) error {
	if err != nil {
		if isKick(err) {
			c.wire.unkick()
			return nil
		}
		return lost(err)
	}
	c.rend += n
	return c.digest()
}

// digest ends the requests whose replies are complete in the read buffer, at most
// maxBatch of them: c.backlog says that there are more. It takes the lock twice for a
// whole batch: once to see how far the queue reaches, once to claim the requests. A
// request that is claimed belongs to the reader: neither its caller nor the watchdog
// touches it until it has been handed over.
func (c *conn) digest() error {
	for {
		c.mu.Lock()
		s, tail := c.head, c.sent
		if int(c.inFlight.Load()) == c.unsent() {
			s = nil // nothing that has been sent is under way
		}
		c.mu.Unlock()
		if s == nil {
			break
		}
		used, need, err := c.parse(s, tail, c.rbuf[c.roff:c.rend])
		c.roff += used
		c.claim()
		if err == nil {
			err = c.stepError()
		}
		if err != nil {
			c.fail(err) // first: nobody whom we wake may send on it again
		}
		full := len(c.batch) == maxBatch
		c.handOver()
		if err != nil {
			c.backlog.Store(false) // what follows is not to be believed
			return err
		}
		c.keepHits()
		if need >= 0 {
			c.backlog.Store(false)
			return c.makeRoom(need)
		}
		if c.roff == c.rend {
			break
		}
		if full {
			c.backlog.Store(true)
			return nil
		}
	}
	c.backlog.Store(false)
	rest := c.rend - c.roff
	c.roff, c.rend = 0, 0
	if rest > 0 {
		return fmt.Errorf("%w: %d bytes to no request", proto.ErrMalformed, rest)
	}
	return nil
}

// parse reads replies from b into c.batch, for the requests from s to tail. need
// is -1 if it reached the end of the requests or of b, otherwise how many bytes
// the next element takes, 0 for unknown.
func (c *conn) parse(s, tail *slot, b []byte) (used, need int, err error) {
	o := c.nextOutcome()
	for used < len(b) {
		n, index, step, err := 0, 0, proto.Later, error(nil)
		if c.skip == nil || c.skip == s {
			c.skip = nil
			n, index, step, err = s.expect.Parse(b[used:], &o.reply)
		}
		if step == proto.Later {
			o.reply.Status, step = proto.Miss, proto.Done
			if c.skip == nil {
				c.skip, err = whose(s, b[used:])
			}
		}
		if err != nil {
			return used, -1, err
		}
		if step == proto.More {
			c.setAside(o)
			return used, n, nil
		}
		used += n
		if step == proto.Hit || step == proto.LastHit {
			c.hits = append(c.hits, Hit{index, o.reply.Value, o.reply.Flags, o.reply.CAS})
			o.hits++
			o.reply.Value = nil
		}
		if step == proto.Done || step == proto.LastHit {
			c.batch = c.batch[:len(c.batch)+1]
			if s == tail || len(c.batch) == maxBatch || outOfStep(o) {
				return used, -1, nil
			}
			s = s.next
			o = c.nextOutcome()
		}
	}
	c.setAside(o)
	return used, -1, nil
}

// whose returns the request on the shared line of s, behind s, that the value at the
// start of b belongs to. Those between them have missed.
func whose(s *slot, b []byte) (*slot, error) {
	for !s.expect.Last {
		if s = s.next; s.expect.IsValueOf(b) {
			return s, nil
		}
	}
	return nil, proto.ErrNotAsked
}

// nextOutcome returns the element after the last of c.batch. It is empty, or what
// was set aside.
func (c *conn) nextOutcome() *outcome {
	n := len(c.batch)
	if n == cap(c.batch) {
		c.batch = append(c.batch, outcome{})[:n]
	}
	o := &c.batch[:n+1][n]
	if n == 0 {
		*o, c.begun = c.begun, outcome{}
	}
	return o
}

// setAside keeps what is there of a reply whose rest comes with a later read.
func (c *conn) setAside(o *outcome) { c.begun, *o = *o, outcome{} }

// keepHits keeps the values of such a reply, as the read buffer will not last.
func (c *conn) keepHits() {
	if c.kept < len(c.hits) {
		own(c.hits[c.kept:])
		c.kept = len(c.hits)
	}
}

// claim takes the requests of c.batch out of the queue.
func (c *conn) claim() {
	if len(c.batch) == 0 {
		return
	}
	c.mu.Lock()
	under := int(c.inFlight.Load())
	for i := range c.batch {
		c.batch[i].req = c.pop()
	}
	c.seePair(under)
	if r := c.batch[0].req; c.head == nil && (under == 1 && r != nil && r.mayLead || under == 2 && c.pair.Load()) {
		c.lone++
	} else {
		c.lone = 0
	}
	c.inFlight.Add(-int32(len(c.batch)))
	if c.reader == readerServe && !c.writing {
		// Those whom we wake now are likely to send again: we write for them.
		c.writing, c.serves = true, true
	}
	c.mu.Unlock()
	c.served.Add(uint64(len(c.batch)))
}

// outOfStep says that what follows o on the connection may not be what it seems.
func outOfStep(o *outcome) bool { return o.reply.Err != nil && o.reply.Err.OutOfStep }

// stepError returns why the connection cannot go on after the replies of c.batch.
func (c *conn) stepError() error {
	if n := len(c.batch); n > 0 && outOfStep(&c.batch[n-1]) {
		return fmt.Errorf("%w: %s", ErrConnLost, c.batch[n-1].reply.Err.Line)
	}
	return nil
}

// handOver gives each claimed request its reply and wakes its caller. The last one
// is woken by wakeLast.
func (c *conn) handOver() {
	taken := 0
	for i := range c.batch {
		o := &c.batch[i]
		hits := c.hits[taken : taken+o.hits]
		if o.req != nil {
			own(hits[min(max(c.kept-taken, 0), len(hits)):])
			c.g.learnSize(o.req, len(o.reply.Value))
			o.deliver(hits)
			c.g.learnHits(o.req)
			c.wakeLast()
			c.last = o.req
		}
		taken += o.hits
		*o = outcome{}
	}
	c.batch = c.batch[:0]
	if taken > 0 {
		rest := copy(c.hits, c.hits[taken:])
		clear(c.hits[rest:])
		c.hits = c.hits[:rest]
		c.kept = max(c.kept-taken, 0)
	}
	if c.g.waiting.Load() > 0 {
		c.g.admit()
	}
}

// wakeLast wakes the caller whom handOver has left to its successor.
func (c *conn) wakeLast() {
	if r := c.last; r != nil {
		c.last = nil
		c.end(r)
	}
}

func (o *outcome) deliver(hits []Hit) {
	r := o.req
	r.Reply = o.reply
	switch {
	case o.reply.Err != nil:
		r.err = o.reply.Err
	case r.Op == proto.OpGetInto:
		r.Reply.Value = append(r.Dst, o.reply.Value...)
	case o.reply.Value != nil:
		r.Reply.Value = r.own(o.reply.Value)
	}
	if len(hits) > 0 {
		r.Hits = append(r.Hits, hits...)
	}
}

// own moves the values of hits out of the read buffer. Small ones share a piece of
// memory: they mostly live as long as each other.
func own(hits []Hit) {
	size := 0
	for i := range hits {
		if n := len(hits[i].Value); n <= maxShared {
			size += n
		}
	}
	shared := make([]byte, 0, size)
	for i := range hits {
		v := hits[i].Value
		if len(v) > maxShared {
			hits[i].Value = clone(v)
			continue
		}
		n := len(shared)
		shared = append(shared, v...)
		hits[i].Value = shared[n:len(shared):len(shared)]
	}
}

// maxShared is the longest value of a multi-get that shares memory with others.
const maxShared = 1 << 10

// own copies a value to where the caller wants it.
func (r *Request) own(value []byte) []byte {
	if r.Alloc != nil {
		if b := r.Alloc(len(value)); b != nil {
			copy(b, value)
			return b
		}
	}
	return clone(value)
}

// clone is written so that the compiler does not clear what copy overwrites.
func clone(b []byte) []byte {
	c := make([]byte, len(b))
	copy(c, b)
	return c
}

// end says that r has ended. Whoever calls it has claimed r.
func (c *conn) end(r *Request) {
	if r.leads {
		c.mu.Lock()
		r.ended = true
		c.mu.Unlock()
		return
	}
	r.done <- struct{}{}
}

// endAll ends every request of a failed connection. Only the reader calls it.
func (c *conn) endAll() {
	for {
		c.mu.Lock()
		if c.head == nil {
			c.mu.Unlock()
			return
		}
		sent := int(c.inFlight.Load()) > c.unsent()
		r, err := c.pop(), c.err
		c.inFlight.Add(-1)
		c.mu.Unlock()
		if r != nil {
			r.err = &Error{Sent: sent, Err: err}
			c.end(r)
		}
	}
}

// maxBatch is how many callers are woken before they get a turn: their memory then
// still lies in the processor's cache, and the server gets work meanwhile.
const maxBatch = 128

// makeRoom moves the unparsed rest to the front and makes room for an element of
// need bytes. The buffer only doubles at a time, so a size that is announced costs
// memory no faster than its bytes arrive.
func (c *conn) makeRoom(need int) error {
	if need > c.g.p.cfg.MaxValue+maxOverhead {
		return fmt.Errorf("%w: a value of %d bytes is over the limit of %d", proto.ErrMalformed, need, c.g.p.cfg.MaxValue)
	}
	full := c.rend == len(c.rbuf)
	rest := copy(c.rbuf, c.rbuf[c.roff:c.rend])
	c.roff, c.rend = 0, rest
	switch {
	case need > len(c.rbuf) && rest == len(c.rbuf):
		c.growReadBuf(min(max(need, 2*readBufSize), 2*len(c.rbuf)))
	case need == 0 && rest == len(c.rbuf):
		c.growReadBuf(2 * len(c.rbuf)) // a long line; the parser bounds it
	case full && len(c.rbuf) < maxReadBuf:
		c.growReadBuf(2 * len(c.rbuf)) // replies come faster than we read
	}
	return nil
}

// maxOverhead is what a reply has beside its value.
const maxOverhead = 2 << 10

func (c *conn) growReadBuf(size int) {
	b := make([]byte, size)
	copy(b, c.rbuf[:c.rend])
	c.rbuf = b
}

// shrinkReadBuf gives grown buffers back when the watchdog has seen the
// connection idle, or when one large value has passed on a connection for small
// ones.
func (c *conn) shrinkReadBuf() {
	c.mu.Lock()
	idle := c.shrink && c.head == nil
	c.shrink = false
	c.mu.Unlock()
	if idle {
		c.batch, c.hits = nil, nil
	}
	if c.rend > 0 || len(c.rbuf) == readBufSize {
		return
	}
	if idle || len(c.rbuf) > maxReadBuf && !c.g.large {
		c.rbuf = make([]byte, readBufSize)
	}
}

// fail closes the connection for err, the first time. The reader, or serve if
// nobody reads, ends the requests.
func (c *conn) fail(err error) bool {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return false
	}
	c.err = err
	hit := int(c.inFlight.Load())
	if c.reader == readerNone {
		c.reader = readerServe
		c.wake <- struct{}{}
	}
	c.mu.Unlock()
	c.g.lost(c)
	c.wire.abort()
	c.report(err, hit)
	return true
}

// report tells the pool's owner of a connection's end that speaks against the
// server. The close of an idle connection does not; overdue requests have been
// told of by the watchdog.
func (c *conn) report(err error, hit int) {
	switch {
	case errors.Is(err, proto.ErrMalformed):
		c.g.p.count(Failure{Kind: Garbled, Conn: c.id, Count: max(hit, 1), Err: err})
	case errors.Is(err, ErrConnLost) && hit > 0:
		c.g.p.count(Failure{Kind: Lost, Conn: c.id, Count: hit, Err: err})
	}
}

// lost wraps what the socket said.
func lost(err error) error {
	if errors.Is(err, ErrConnLost) {
		return err
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: closed by the server", ErrConnLost)
	}
	return fmt.Errorf("%w: %w", ErrConnLost, err)
}
