package pool

import (
	"fmt"
	"sync"
	"time"
)

// tick is how often the watchdog looks at what is under way. One look at a queue
// costs less than arming a timer for one of its requests.
const tick = 5 * time.Millisecond

// maxLag is how late a tick may come before we doubt ourselves rather than the
// server: our process did not run, and replies may lie unread in the sockets.
const maxLag = 20 * time.Millisecond

// The pool's clock counts the time in which this process was able to work. Where a
// tick comes late, only maxLag of the delay counts, so a process that was stopped
// for seconds does not find all its requests overdue when it goes on. The clock
// stands still while nothing is under way, apart from the jump in arm.

// arm starts the watchdog. It ticks until everything is quiet.
func (p *Pool) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed.Load() || p.closed.Load() {
		return
	}
	now := time.Now()
	if !p.lastTick.IsZero() {
		p.now.Add(int64(now.Sub(p.lastTick)))
	}
	p.lastTick = now
	if p.timer == nil {
		p.timer = time.AfterFunc(tick, p.onTick)
	} else {
		p.timer.Reset(tick)
	}
	p.armed.Store(true)
}

func (p *Pool) onTick() {
	p.ticking.Lock()
	defer p.ticking.Unlock()
	p.mu.Lock()
	now := time.Now()
	gap := now.Sub(p.lastTick)
	p.lastTick = now
	p.mu.Unlock()

	late := gap > tick+maxLag
	clock := p.now.Add(int64(min(gap, tick+maxLag)))
	found := findings{quiet: true}
	for _, g := range p.groups() {
		g.look(clock, late, &found)
	}
	found.act(p)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return
	}
	if !found.quiet {
		p.timer.Reset(tick)
		return
	}
	// Disarm, then look again: who sends now either finds the watchdog disarmed,
	// or is found here.
	p.armed.Store(false)
	if p.busy() {
		p.armed.Store(true)
		p.timer.Reset(tick)
	}
}

// busy reports whether anything is under way.
func (p *Pool) busy() bool {
	for _, g := range p.groups() {
		if g.waiting.Load() > 0 {
			return true
		}
		for i := range g.conns {
			if c := g.conns[i].Load(); c != nil && c.inFlight.Load() > 0 {
				return true
			}
		}
	}
	return false
}

// findings is what a look has found and what must be done about it without locks.
type findings struct {
	quiet    bool
	ended    []*Request
	kick     []*conn
	stalled  []*conn
	failures []Failure
}

func (f *findings) act(p *Pool) {
	for _, r := range f.ended {
		r.done <- struct{}{}
	}
	for _, c := range f.kick {
		c.wire.kick()
	}
	for _, failure := range f.failures {
		p.count(failure)
	}
	if len(f.stalled) == 0 {
		return
	}
	var wg sync.WaitGroup
	for _, c := range f.stalled {
		wg.Go(func() { c.fail(ErrStalled) })
	}
	wg.Wait()
}

func (g *group) look(now int64, late bool, f *findings) {
	for i := range g.conns {
		if c := g.conns[i].Load(); c != nil {
			if !c.look(now, late, f) {
				f.quiet = false
			}
		}
	}
	if g.waiting.Load() > 0 {
		f.quiet = false
		g.lookQueue(now, f)
		g.dialAny()
		g.admit()
	}
}

// lookQueue ends the requests that have waited in vain.
func (g *group) lookQueue(now int64, f *findings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	vain := g.vain()
	kept := g.queue[:0:0]
	for _, r := range g.queue {
		err := r.over(now)
		if err == nil {
			kept = append(kept, r)
			continue
		}
		if err == ErrTimeout {
			err = vain
		}
		r.err = &Error{Err: err}
		f.ended = append(f.ended, r)
	}
	g.queue = kept
	g.waiting.Store(int32(len(kept)))
}

// vain returns what a request has waited for in vain: room, or a connection. The
// caller holds mu.
func (g *group) vain() error {
	err := ErrTimeout
	for i := range g.conns {
		if g.conns[i].Load() != nil {
			return ErrBusy
		}
		if cause := g.places[i].err; cause != nil {
			err = fmt.Errorf("%w: %w", ErrTimeout, cause)
		}
	}
	return err
}

// over returns why r must not wait any longer, or nil.
func (r *Request) over(now int64) error {
	if now >= r.expires {
		return ErrTimeout
	}
	return r.cancelled()
}

// cancelled returns errCancelled where the caller's context has ended.
func (r *Request) cancelled() error {
	select {
	case <-r.cancel:
		return errCancelled
	default:
		return nil
	}
}

// look ends overdue requests and reports whether the connection is quiet: idle and
// watched for its end.
//
// A request is not overdue while we are the ones who are late: after a late tick,
// or when the socket holds bytes that our reader has not come to read, the reader
// gets time first. That grace is bounded, for a server that keeps sending bytes
// without ever completing a reply; what ends after it still does not speak against
// the server.
func (c *conn) look(now int64, late bool, f *findings) (quiet bool) {
	over, gone := c.anyOver(now)
	ours := over && (late || c.backlog.Load() || c.wire.unread())
	switch {
	case !ours:
		c.grace = 0
	case c.grace < maxGrace:
		c.grace++
		over = false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	if c.head == nil {
		return c.lookIdle(f)
	}
	c.seen = c.pushed
	if over || gone {
		c.lookSlots(now, over, ours, f)
	}
	return false
}

// lookSlots ends the requests that are over and condemns a connection whose head
// is overdue. The caller holds mu.
func (c *conn) lookSlots(now int64, over, ours bool, f *findings) {
	timeouts := 0
	sent := int(c.inFlight.Load()) - c.unsent()
	for s := c.head; s != nil; s = s.next {
		sent--
		if s.req == nil || !c.lookSlot(s, now, over, f) {
			continue
		}
		// What nobody has come to write yet, the server cannot have answered.
		if !ours && sent >= 0 {
			timeouts++
		}
	}
	if timeouts > 0 {
		f.failures = append(f.failures, Failure{Kind: Timeout, Conn: c.id, Count: timeouts, Err: ErrTimeout})
	}
	if over && now >= c.head.overdue {
		f.stalled = append(f.stalled, c)
	}
}

// maxGrace is for how many ticks in a row a connection may be late through our own
// fault.
const maxGrace = 20

// anyOver reports whether a request's own time is over or the reply at the head
// overdue, and whether a caller's context has ended.
func (c *conn) anyOver(now int64) (over, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.head == nil {
		return false, false
	}
	over = now >= c.head.overdue
	for s := c.head; s != nil; s = s.next {
		if s.req == nil {
			continue
		}
		over = over || now >= s.req.expires
		gone = gone || s.req.cancelled() != nil
	}
	return over, gone
}

// lookSlot ends the request in s if its time is over, and reports whether it was
// its own time rather than its caller's.
func (c *conn) lookSlot(s *slot, now int64, over bool, f *findings) bool {
	r := s.req
	err := r.over(now)
	if err == ErrTimeout && !over {
		err = r.cancelled() // who has gone gets no grace
	}
	if err == nil {
		return false
	}
	s.req = nil             // the reply, if it comes, is thrown away
	c.setFew(min(c.few, 0)) // the next one had better look for another connection
	// Also where its bytes are still in the write buffer: they may leave later.
	r.err = &Error{Sent: true, Err: err}
	if r.leads {
		r.ended = true
		f.kick = append(f.kick, c)
	} else {
		f.ended = append(f.ended, r)
	}
	return err == ErrTimeout
}

// lookIdle sees to it that somebody waits for the end of an idle connection, so
// that one which the server closes does not linger half-closed. A caller who comes
// often reads for himself; only when none has come for a tick does serve take over.
func (c *conn) lookIdle(f *findings) (quiet bool) {
	rested := c.seen == c.pushed
	c.seen = c.pushed
	if !rested || c.reader == readerCaller {
		return false
	}
	if c.reader == readerServe && c.rested {
		return true
	}
	if c.reader == readerNone {
		c.reader, c.lone = readerServe, 0 // what came alone before is no reason to leave
		c.wake <- struct{}{}
	} else {
		f.kick = append(f.kick, c) // serve waits with buffers that may have grown
	}
	c.rested, c.shrink = true, true
	c.free = nil
	if !c.writing {
		c.wbuf, c.spare = smallBuf(c.wbuf), smallBuf(c.spare)
	}
	return false
}

// smallBuf replaces a buffer that a burst has grown.
func smallBuf(b []byte) []byte {
	if cap(b) > writeBufSize {
		return make([]byte, 0, writeBufSize)
	}
	return b
}
