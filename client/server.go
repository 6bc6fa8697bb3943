package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/pool"
	"github.com/ringbeat/ringbeat/ring"
)

// server is one memcached with its connections, its monitor, and what this
// process has to repair there. An address that changes makes another server.
type server struct {
	ring.Server
	addr    addr // for gomemcache
	c       *Client
	pool    *pool.Pool
	monitor *heartbeat.Monitor

	// careful sends requests for this server's keys the long way round: it is
	// not simply healthy, or there is something to repair. It is written under
	// mu, after what it stands for has changed.
	careful atomic.Bool

	missing atomic.Uint64 // connections that did not come about

	ctx    context.Context // ends when the server is closed
	cancel context.CancelFunc
	wake   chan struct{} // one token: the keeper has something to do
	kept   chan struct{} // closed when the keeper has ended

	// The fields up to the next blank line belong to the client's mutex.
	admitted bool             // has answered once, so that it may serve
	leaving  bool             // no longer a member; serves until its heir does
	heir     *server          // who takes the place of one that leaves, or nil
	reason   heartbeat.Reason // of the last transition

	mu         sync.Mutex // guards the fields below
	mode       mode       // as in the newest snapshot
	healthy    bool       // not even a suspect
	doubted    bool       // the last request here failed
	watchUntil time.Time  // writes here also delete at the stand-in
	coldUntil  time.Time  // what is here counts as misses: hints were lost
	rampFrom   time.Time  // when the keys began to return
	hints      hints
	loans      loans
}

// touchUp recomputes careful. The caller holds mu.
func (s *server) touchUp(now time.Time) {
	s.careful.Store(s.mode != serving || !s.healthy || s.doubted || now.Before(s.watchUntil) ||
		now.Before(s.coldUntil) || s.hints.open() || s.loans.open(now))
}

// update takes over what a new snapshot says. It is called before the snapshot
// is stored where the server gets worse, and after where it gets better, so that
// no request trusts a server that it must not trust.
func (s *server) update(m mode, state heartbeat.State, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode >= moved && m.open() {
		s.rampFrom = now
	}
	healthy := state == heartbeat.Healthy
	if !healthy || !s.healthy || !m.open() {
		s.watchUntil = now.Add(s.c.cfg.StandInTTL)
	}
	s.mode, s.healthy = m, healthy
	if m.open() && s.hints.overflow {
		s.chill(now)
	}
	s.touchUp(now)
	s.nudge()
}

// ramping reports whether keys are still on their way back.
func (s *server) ramping(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.rampFrom) < s.c.cfg.Ramp
}

// nudge wakes the keeper.
func (s *server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// doubt notes whether the last request to the server failed. While it is in
// doubt a server has half the time to answer, and its stand-in the more.
func (s *server) doubt(failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubted != failed {
		s.doubted = failed
		s.touchUp(time.Now())
	}
}

// patience is how long a request waits for the server.
func (s *server) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubted || !s.healthy {
		return s.c.cfg.AttemptTimeout / 2
	}
	return s.c.cfg.AttemptTimeout
}

// failed notes that a request here has failed without an answer. One that waited
// for a connection in vain is evidence as good as one that waited for a reply.
func (s *server) failed(lost *pool.Error) {
	s.doubt(true)
	if !lost.Sent && errors.Is(lost.Err, pool.ErrTimeout) {
		s.monitor.Report(heartbeat.Evidence{Kind: heartbeat.Timeout, Conn: s.noConn()})
	}
}

// noConn returns a number for a connection that did not come about: each one
// counts for itself.
func (s *server) noConn() uint64 { return s.missing.Add(1) | 1<<63 }

// report hands what a request saw on to the monitor.
func (s *server) report(f pool.Failure) {
	if ownFault(f.Err) {
		return
	}
	e := heartbeat.Evidence{Conn: f.Conn}
	if f.Conn == 0 {
		if s.pool.Stats().Conns > 0 {
			return // a server at its connection limit serves those that are open
		}
		e.Conn = s.noConn()
	}
	switch f.Kind {
	case pool.DialFailed:
		e.Kind = heartbeat.DialRefused
	case pool.Lost, pool.Garbled:
		e.Kind = heartbeat.Reset
	default:
		e.Kind = heartbeat.Timeout
	}
	for range min(f.Count, 3) { // more make no difference
		s.monitor.Report(e)
	}
}

// close ends all that belongs to the server and returns when it has ended.
func (s *server) close() {
	s.cancel()
	s.monitor.Stop()
	s.pool.Close()
	<-s.kept
}

// retire closes a server that has left the membership, after the requests under
// way there have had their time.
func (s *server) retire() {
	timer := time.NewTimer(s.c.cfg.Timeout)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
	s.close()
}
