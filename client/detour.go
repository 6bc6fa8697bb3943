package client

import (
	"context"
	"errors"
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
	"github.com/ringbeat/ringbeat/ring"
)

// detour is the way of an operation whose home did not answer, or must not
// simply be asked. It needs the clock, locks and memory that do spares.
type detour struct {
	c        *Client
	ctx      context.Context
	snap     *snapshot
	k        *call
	home     *server
	deadline time.Time
	tried    trail
	at       *server // of the last attempt, home before it
	err      error   // of the last attempt
	again    bool    // the last one has been asked once more
}

// leastAttempt is the time below which a further attempt is not worth its while.
const leastAttempt = time.Millisecond

// detour goes on after the attempt at home that ended with err, or begins where
// err is nil.
func (c *Client) detour(ctx context.Context, snap *snapshot, home *server, k *call, err error) error {
	d := detour{c: c, ctx: ctx, snap: snap, k: k, home: home, at: home, err: err}
	spent := time.Duration(0)
	if err != nil {
		spent = k.Timeout
	}
	d.deadline = c.deadline(ctx, spent)
	return d.run()
}

// run carries the operation out. With err set, home has been asked already.
func (d *detour) run() error {
	d.tried.add(d.home)
	d.at = d.home
	if d.err == nil {
		if err := proto.CheckKey(d.k.Key); err != nil {
			return ErrMalformedKey
		}
		if over, err := d.begin(); over {
			return err
		}
	}
	if d.err != nil && d.homeFailed() {
		return d.result()
	}
	if errors.Is(d.err, pool.ErrClosed) {
		if d.c.snap.Load() != d.snap {
			return d.c.do(d.ctx, d.k) // home has left the membership meanwhile
		}
		return d.result() // the client was closed
	}
	return d.elsewhere()
}

// begin decides where the key is served and asks home if that is there. It
// reports whether the operation is over.
func (d *detour) begin() (over bool, err error) {
	switch d.home.serves(d.k.Key, d.snap) {
	case atHome:
		d.attempt(d.home, d.first())
		return d.err == nil, nil
	case isMiss:
		if d.k.miss() {
			return true, nil
		}
		d.attempt(d.home, d.first())
		return d.err == nil, nil
	case nowhere:
		return true, opError(d.k.Op, d.home, d.k.Key, ErrServerDown)
	}
	return false, nil
}

// first is the timeout of the attempt at home.
func (d *detour) first() time.Duration {
	return min(d.home.patience(), d.c.attemptTimeout(d.ctx))
}

// homeFailed handles the failed attempt at home and reports whether that is the
// end. A healthy server that closed a connection is asked once more: it may have
// been restarted, or have thought the connection idle.
func (d *detour) homeFailed() (over bool) {
	if d.movable() && errors.Is(d.err, pool.ErrConnLost) && d.home.monitor.State() == heartbeat.Healthy {
		if left := time.Until(d.deadline); left > leastAttempt && d.c.budget.spend() {
			d.c.counters.retries.Add(1)
			d.attempt(d.home, min(d.c.cfg.AttemptTimeout, left/2))
		}
	}
	if d.err == nil {
		return true
	}
	d.failed()
	return !d.movable()
}

// failed notes what a failed attempt has left behind.
func (d *detour) failed() {
	lost, ok := d.err.(*pool.Error)
	if !ok {
		return // an answer, or nothing that could be sent
	}
	if lost.Sent && harmsLate(d.k.Op) {
		d.at.hint(d.k.Key, true)
	}
	if d.ctx.Err() == nil {
		d.at.failed(lost)
	}
}

// movable reports whether another attempt may follow the failed one.
func (d *detour) movable() bool {
	lost, ok := d.err.(*pool.Error)
	return ok && d.ctx.Err() == nil && (!lost.Sent || repeatable(d.k.Op))
}

// elsewhere asks the stand-ins, one after the other.
func (d *detour) elsewhere() error {
	for d.tried.n < maxTries {
		left := time.Until(d.deadline)
		if left < leastAttempt {
			break
		}
		s := d.next()
		if s == nil || d.err != nil && !d.spend() {
			break
		}
		if s.doubtful() && !d.again {
			left = min(left, s.patience())
		}
		d.attempt(s, left)
		if d.err == nil {
			if s != d.home {
				d.c.counters.standIns.Add(1)
			}
			return nil
		}
		d.failed()
		if !d.movable() {
			break
		}
	}
	return d.lastResort()
}

// next returns the server to ask, by the newest view: home may have been ejected
// while we waited for it. Where nobody else is left, the one that was asked last is
// asked once more. It is nil where there is nobody.
func (d *detour) next() *server {
	d.snap = d.c.snap.Load()
	if d.mayMove() {
		if s := d.snap.standIn(d.k.Key, &d.tried); s != nil {
			d.tried.add(s)
			return s
		}
	}
	if d.err == nil || d.again || !d.snap.modeOf(d.at).open() {
		return nil
	}
	d.again = true
	return d.at
}

// mayMove reports whether the key may go to another server than home.
func (d *detour) mayMove() bool {
	return d.c.cfg.OnEject == Rehash && d.snap.modeOf(d.home) != down
}

func (d *detour) spend() bool {
	if d.c.budget.spend() {
		d.c.counters.retries.Add(1)
		return true
	}
	d.c.counters.overBudget.Add(1)
	return false
}

// lastResort ends an operation that nobody has answered.
func (d *detour) lastResort() error {
	if d.err != nil {
		return d.result()
	}
	// Nobody was asked. Either nobody serves the key, or all who do hold a value
	// that a hint is going to delete: that is as good as deleted.
	s := d.home
	if !d.snap.modeOf(s).open() {
		s = nil
		if d.mayMove() {
			s = d.snap.anybody(d.k.Key)
		}
	}
	left := time.Until(d.deadline)
	switch {
	case s == nil || left < leastAttempt:
		return opError(d.k.Op, d.home, d.k.Key, ErrServerDown)
	case d.k.miss():
		return nil
	}
	d.attempt(s, left)
	if d.err != nil {
		d.failed()
	}
	return d.result()
}

// attempt asks s.
func (d *detour) attempt(s *server, timeout time.Duration) {
	d.prepare(s, timeout)
	d.at, d.err = s, s.pool.Do(d.ctx, &d.k.Request)
	if d.err == nil {
		d.answered()
	}
}

// prepare makes the operation one for s and notes what is known before it goes
// out: whoever reads at home from now on must know that home misses a write.
func (d *detour) prepare(s *server, timeout time.Duration) {
	k := d.k
	k.Timeout, k.Exptime = timeout, k.exptime
	if s == d.home || !writes(k.Op) {
		return
	}
	d.home.hint(k.Key, false)
	if k.Op.Stores() {
		d.home.lend(k.Key, s)
	}
	k.Exptime = capExptime(k.exptime, d.c.cfg.StandInTTL, time.Now())
}

// answered notes that a server has answered and repairs what its answer makes
// stale elsewhere.
func (d *detour) answered() {
	if d.at.doubtful() {
		d.at.doubt(false)
		d.at.monitor.Report(heartbeat.Evidence{Kind: heartbeat.Success})
	}
	if writes(d.k.Op) {
		d.repair(d.at)
	}
}

// result is what the caller gets after the last attempt.
func (d *detour) result() error {
	if d.err == nil {
		return nil
	}
	return opError(d.k.Op, d.at, d.k.Key, d.err)
}

// place says where a key is served, as far as its home is concerned.
type place uint8

const (
	atHome   place = iota
	isMiss         // home is open, but what it holds is not to be read
	byOthers       // by a stand-in
	nowhere        // by nobody
)

// serves decides about key.
func (s *server) serves(key string, snap *snapshot) place {
	m := snap.modeOf(s)
	if m == down {
		return nowhere
	}
	if m == moved {
		return byOthers
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if m == returning && !returned(key, now.Sub(s.rampFrom), s.c.cfg.Ramp) {
		return byOthers
	}
	if _, hinted := s.hints.keys[key]; hinted {
		return byOthers
	}
	if now.Before(s.coldUntil) {
		return isMiss
	}
	return atHome
}

// returned reports whether key is back at its home so long after its
// readmission. Every client comes to the same answer for the same time: the low
// bits of the ring's own hash decide, of which the ring uses the high ones.
func returned(key string, since, ramp time.Duration) bool {
	const steps = 1000
	if since >= ramp {
		return true
	}
	back := steps/10 + int64(since)*(steps-steps/10)/int64(ramp)
	return int64(ring.HashKey(key)%steps) < back
}
