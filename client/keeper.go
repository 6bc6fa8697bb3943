package client

import (
	"context"
	"errors"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
)

const (
	replayBatch  = 512                    // deletes under way at once
	replayPause  = 500 * time.Millisecond // after a failed replay
	leastKeeping = 50 * time.Millisecond  // between two looks at what is to be done
)

var errReplay = errors.New("client: hints not carried out")

// keep is the goroutine of a server that carries hints out while the server is
// open, and lets go of what has expired. It sleeps while there is nothing to do.
func (s *server) keep() {
	defer close(s.kept)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var tended time.Time
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
			// Many requests may leave hints: look once for all of them.
			timer.Reset(leastKeeping - min(time.Since(tended), leastKeeping))
			continue
		case <-timer.C:
		}
		tended = time.Now()
		if wait := s.tend(); wait > 0 {
			timer.Reset(max(wait, leastKeeping))
		}
	}
}

// tend does what is due and returns how long until there is more to do, 0 for
// never.
func (s *server) tend() time.Duration {
	now := time.Now()
	s.mu.Lock()
	open := s.mode.open()
	next := s.loans.expire(now)
	for _, end := range []time.Time{s.watchUntil, s.coldUntil, s.rampEnd()} {
		if end.After(now) && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	ramped := s.mode == returning && !s.rampEnd().After(now)
	s.touchUp(now)
	s.mu.Unlock()
	if ramped {
		s.c.reconsider()
	}
	if open {
		if due := s.replayDue(); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	if next.IsZero() {
		return 0
	}
	return max(time.Until(next), time.Millisecond)
}

// rampEnd returns when the ramp is over, zero without one. The caller holds mu.
func (s *server) rampEnd() time.Time {
	if s.mode != returning {
		return time.Time{}
	}
	return s.rampFrom.Add(s.c.cfg.Ramp)
}

// replayDue carries out what is due of the hints and returns when to go on, zero
// if there are no more.
func (s *server) replayDue() (next time.Time) {
	for {
		now := time.Now()
		s.mu.Lock()
		batch, next := s.hints.due(now, make([]errand, 0, min(replayBatch, len(s.hints.keys))))
		s.mu.Unlock()
		if len(batch) == 0 {
			return next
		}
		if err := s.replay(s.ctx, batch); err != nil {
			return now.Add(replayPause)
		}
	}
}

// replayAll carries out every hint. Those that come in meanwhile belong to
// requests that began before the server serves again; the last of them are left
// to the keeper, and their keys are not read here until then.
func (s *server) replayAll(ctx context.Context) error {
	const rounds = 1 + 2*maxHints/replayBatch
	for range rounds {
		now := time.Now()
		s.mu.Lock()
		batch, next := s.hints.due(now, make([]errand, 0, replayBatch))
		s.mu.Unlock()
		switch {
		case len(batch) > 0:
			if err := s.replay(ctx, batch); err != nil {
				return err
			}
		case next.IsZero():
			return nil
		default:
			return nil // too early for some: see above
		}
	}
	return nil
}

// replay sends deletes, all at once, and forgets the hints that were answered.
func (s *server) replay(ctx context.Context, batch []errand) error {
	requests := make([]pool.Request, len(batch))
	for i := range batch {
		r := &requests[i]
		r.Op, r.Key, r.Timeout = proto.OpDelete, batch[i].key, s.c.cfg.Timeout
		s.pool.Push(ctx, r)
	}
	for i := range requests {
		requests[i].Flush(false)
	}
	done := 0
	var failed error
	for i := range requests {
		if err := s.pool.Wait(&requests[i]); err != nil {
			failed = errors.Join(errReplay, err)
			continue
		}
		s.mu.Lock()
		s.hints.done(batch[i])
		s.mu.Unlock()
		done++
	}
	s.c.counters.hintsSent.Add(uint64(done))
	s.mu.Lock()
	s.touchUp(time.Now())
	s.mu.Unlock()
	return failed
}
