package pool

// serve is what the connection's own goroutines do. There is one, and from the first
// batch on two of them: one reads while the other waits for c.wake, which hands the
// reader role on.
//
// The reader lets callers run by passing the role to its twin. It wakes all callers
// of a batch but one, then the twin, then the last caller. Go's scheduler runs what
// a goroutine wakes on the same processor, in the order of the waking except for the
// last one, which comes first. So the twin goes on when those callers have had their
// turn, and most have sent again, and all of it stays in one processor's caches. A
// runtime.Gosched would put the reader into the queue that the processors share, and
// the next free one would drag it and its callers' memory over. Only speed depends
// on that order.
func (c *conn) serve() {
	for range c.wake {
		if c.ended {
			return
		}
		switch c.serveTurn() {
		case turnPassed, turnIdle:
			continue
		}
		break
	}
	c.writers.Wait()
	c.ended = true
	if c.twin {
		c.wake <- struct{}{}
	}
}

// turn is how a turn as the reader has ended.
type turn uint8

const (
	turnPassed turn = iota // the twin reads
	turnIdle               // nobody reads: the queue is empty, and callers come one by one
	turnDead               // the connection has failed and every request has ended
)

// serveTurn reads until the role has gone to somebody else.
func (c *conn) serveTurn() turn {
	if c.serves {
		if now := c.g.p.now.Load(); now-c.passedAt > int64(2*tick) {
			c.hurry = now + int64(hurryTime)
		}
	}
	for {
		if c.serves {
			c.serves = false
			if err := c.writeBatches(); err != nil {
				return c.dead(err)
			}
		}
		if c.rest() {
			return turnIdle
		}
		if err := c.serveBatch(); err != nil {
			return c.dead(err)
		}
		if c.serves && c.pass() {
			return turnPassed
		}
		c.wakeLast()
	}
}

// serveBatch hands over a batch of replies that has been read, or else reads.
func (c *conn) serveBatch() error {
	if c.backlog.Load() {
		return c.digest()
	}
	c.shrinkReadBuf()
	c.reads.Add(1)
	n, err := c.wire.read(c.rbuf[c.rend:], c.inFlight.Load())
	return c.took(n, err)
}

// pass hands the reader role and the writer role to the twin, behind the callers who
// have just been woken. Where others keep the processors for long, it would be their
// turn too, so for a while nobody waits for the woken ones.
func (c *conn) pass() bool {
	c.passedAt = c.g.p.now.Load()
	if c.passedAt < c.hurry {
		return false
	}
	if !c.twin {
		c.twin = true
		c.g.p.done.Add(1)
		go func() {
			defer c.g.p.done.Done()
			c.serve()
		}()
	}
	last := c.last
	c.last = nil
	c.wake <- struct{}{}
	if last != nil {
		c.end(last)
	}
	return true
}

// rest gives the reader role up where no request is under way and callers come one
// by one: they read for themselves.
func (c *conn) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.head != nil || c.lone < loneReplies {
		return false // after an error, a read learns of it
	}
	c.reader = readerNone
	c.lone = 0
	return true
}

// dead ends what is queued on a connection that has failed, after the replies that
// are here already.
func (c *conn) dead(err error) turn {
	c.fail(err) // first: nobody whom we wake may send on it again
	for c.backlog.Load() && c.digest() == nil {
	}
	c.wakeLast()
	c.endAll()
	return turnDead
}
