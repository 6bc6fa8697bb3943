package client

import (
	"slices"
	"strings"
	"time"
)

// loan is a key whose value this process stored on stand-ins.
type loan struct {
	at    []*server
	until time.Time // when the values have expired there
}

// loans is what stand-ins hold of a server's keys. When such a key is next
// written at home, the stand-in's value is deleted, so that a second outage
// within StandInTTL does not find it. The server's mutex guards it.
type loans struct {
	keys     map[string]loan
	lostRoom time.Time // until then a key that is not known may be on loan, too
	sweep    time.Time // when to look for what has expired
}

// open reports whether anything may be on loan.
func (l *loans) open(now time.Time) bool { return len(l.keys) > 0 || now.Before(l.lostRoom) }

// add notes that key's value is stored at s until then.
func (l *loans) add(key string, s *server, until time.Time, most int) {
	old, known := l.keys[key]
	if !known && len(l.keys) >= most {
		l.lostRoom = until
		return
	}
	if l.keys == nil {
		l.keys = make(map[string]loan)
	}
	if l.sweep.IsZero() {
		l.sweep = until
	}
	if !known {
		key = strings.Clone(key)
	}
	if !slices.Contains(old.at, s) {
		old.at = append(slices.Clip(old.at), s)
	}
	l.keys[key] = loan{at: old.at, until: until}
}

// expire forgets what has expired and returns when to look again, zero for never.
// It looks once a second at most: there may be many.
func (l *loans) expire(now time.Time) (next time.Time) {
	if now.Before(l.sweep) {
		return l.sweep
	}
	defer func() {
		if !next.IsZero() {
			next = later(next, now.Add(time.Second))
		}
		l.sweep = next
	}()
	for key, loan := range l.keys {
		if !loan.until.After(now) {
			delete(l.keys, key)
		} else if next.IsZero() || loan.until.Before(next) {
			next = loan.until
		}
	}
	if l.lostRoom.After(now) {
		next = later(next, l.lostRoom)
	}
	return next
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lend notes that the value of home's key is going to be stored at standIn.
func (s *server) lend(key string, standIn *server) {
	now := time.Now()
	// memcached counts in whole seconds, which end up to a second late.
	until := now.Add(s.c.cfg.StandInTTL + 2*time.Second)
	s.mu.Lock()
	s.loans.add(key, standIn, until, s.c.maxHints)
	s.touchUp(now)
	s.mu.Unlock()
	s.nudge()
}

// lent returns the servers that may hold a value of home's key beside at, and
// whether there may be others: then all that was known has been lost.
func (s *server) lent(key string, at *server) (where []*server, unsure bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.loans.keys[key].at {
		if other != at {
			where = append(where, other)
		}
	}
	return where, now.Before(s.loans.lostRoom)
}

// settle notes that the value of home's key is at no stand-in but at.
func (s *server) settle(key string, at *server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.loans.keys[key]
	if !ok {
		return
	}
	if at == nil || !slices.Contains(l.at, at) {
		delete(s.loans.keys, key)
		return
	}
	l.at = []*server{at}
	s.loans.keys[key] = l
}
