package client

import (
	"strings"
	"time"
)

// hint is one key whose value at a server may be older than what this process
// has written or deleted since. It is carried out as a delete, and until then
// the key is not read there.
type hint struct {
	due time.Time // not before: a late write of ours may still be under way
	seq uint64    // which write left it; a newer one must not be taken for done
}

// hints is what a server has missed. The server's mutex guards it.
type hints struct {
	keys     map[string]hint
	seq      uint64
	overflow bool // there was no room for some: nothing at the server can be trusted
}

// open reports whether there is anything to carry out.
func (h *hints) open() bool { return len(h.keys) > 0 }

// add leaves a hint for key and reports whether this is the first one that
// finds no room.
func (h *hints) add(key string, due time.Time, most int) (overflow bool) {
	old, known := h.keys[key]
	if !known && len(h.keys) >= most {
		first := !h.overflow
		h.overflow = true
		return first
	}
	if h.keys == nil {
		h.keys = make(map[string]hint)
	}
	h.seq++
	if old.due.After(due) {
		due = old.due
	}
	if !known {
		key = strings.Clone(key) // the caller's may be part of something large
	}
	h.keys[key] = hint{due: due, seq: h.seq}
	return false
}

// due appends to batch up to cap(batch) hints that may be carried out now. next
// is when the others may be, zero if there are none.
func (h *hints) due(now time.Time, batch []errand) (due []errand, next time.Time) {
	for key, hint := range h.keys {
		switch {
		case hint.due.After(now):
			if next.IsZero() || hint.due.Before(next) {
				next = hint.due
			}
		case len(batch) == cap(batch):
			return batch, now
		default:
			batch = append(batch, errand{key, hint.seq})
		}
	}
	return batch, next
}

// errand is a hint on its way.
type errand struct {
	key string
	seq uint64
}

// done forgets a hint that was carried out, unless it was renewed meanwhile.
func (h *hints) done(e errand) {
	if h.keys[e.key].seq == e.seq {
		delete(h.keys, e.key)
	}
}

// drop forgets everything and returns how many hints that were.
func (h *hints) drop() int {
	n := len(h.keys)
	h.keys, h.overflow = nil, false
	return n
}

// hinted reports whether key must not be read at s.
func (s *server) hinted(key string) bool {
	if !s.careful.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.hints.keys[key]
	return ok
}

// hint leaves a hint for key. sent says that a write of ours may still reach the
// server: the hint then waits until that has been answered or its connection is
// closed, so that the delete comes last.
func (s *server) hint(key string, sent bool) {
	now := time.Now()
	due := now
	if sent {
		due = now.Add(s.c.quiet())
	}
	s.mu.Lock()
	overflow := s.hints.add(key, due, s.c.maxHints)
	if s.hints.overflow && s.mode.open() {
		s.chill(now)
	}
	s.touchUp(now)
	s.mu.Unlock()
	s.nudge()
	s.c.counters.hints.Add(1)
	if overflow {
		s.c.tell(Event{Kind: HintOverflow, Server: s.Name, At: now, Hints: s.c.maxHints})
	}
}

// chill makes everything at the server count as a miss for StandInTTL: there
// were more hints than could be kept. The caller holds mu.
func (s *server) chill(now time.Time) {
	s.hints.overflow = false
	s.coldUntil = now.Add(s.c.cfg.StandInTTL)
}

// quiet is the time after which a write of ours has either been answered or lost
// its connection. The pool closes a connection whose oldest request is overdue by
// its timeout; a request waits for Timeout at most; the rest is for the way.
func (c *Client) quiet() time.Duration {
	return c.cfg.Timeout + max(c.cfg.AttemptTimeout, c.cfg.Pool.Timeout) + 50*time.Millisecond
}
