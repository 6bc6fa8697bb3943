package client

import (
	"context"
	"slices"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
)

// repair deletes what the write that s has just answered makes stale elsewhere:
// the key's values on stand-ins and, near an outage, whatever other processes may
// have stored on the stand-in. Some of them may still read it there.
func (d *detour) repair(s *server) {
	k := d.k
	where, unsure := d.home.lent(k.Key, s)
	if d.c.cfg.OnEject == Rehash && (unsure || d.home.watched()) {
		beside := trail{}
		beside.add(d.home)
		if s != d.home {
			beside.add(s)
		}
		if other := d.c.snap.Load().standIn(k.Key, &beside); other != nil && s == d.home && !slices.Contains(where, other) {
			where = append(where, other)
		}
	}
	if len(where) == 0 {
		return
	}
	for _, other := range where {
		d.c.erase(d.ctx, other, k.Key, time.Until(d.deadline))
	}
	d.home.settle(k.Key, s)
}

// watched reports whether others may use the stand-in for the server's keys.
func (s *server) watched() bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.healthy || now.Before(s.watchUntil)
}

// doubtful reports whether the server may well not answer.
func (s *server) doubtful() bool {
	if !s.careful.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubted || !s.healthy
}

// erase deletes key at s within left, or leaves a hint to do so.
func (c *Client) erase(ctx context.Context, s *server, key string, left time.Duration) {
	if !c.snap.Load().modeOf(s).open() || left < leastAttempt {
		s.hint(key, false)
		return
	}
	k := c.newCall(proto.OpDelete, key)
	defer c.free(k)
	k.Timeout = min(left, s.patience())
	err := s.pool.Do(ctx, &k.Request)
	if lost, ok := err.(*pool.Error); ok {
		s.hint(key, lost.Sent)
	}
}
