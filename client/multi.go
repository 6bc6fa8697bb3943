package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
)

// GetMulti returns the items that there are, by key. The keys of different
// servers are asked for at the same time; where a server does not answer, its
// keys are asked of their stand-ins. Besides what arrived, the error joins one
// *OpError for each server that failed: the keys that are missing from the map
// may then have values there. A malformed key makes it ErrMalformedKey, and
// nothing is sent. Items of one call share memory: copy one that is to outlive the
// others by far.
func (c *Client) GetMulti(ctx context.Context, keys []string) (map[string]*Item, error) {
	for _, key := range keys {
		if proto.CheckKey(key) != nil {
			return nil, ErrMalformedKey
		}
	}
	b := c.batches.Get().(*batch)
	defer b.free(c)
	b.begin(c, ctx)
	for _, key := range keys {
		b.place(key)
	}
	b.ask(c.attemptTimeout(ctx))
	for range maxRounds {
		if len(b.homeless) == 0 || !b.moveOn() {
			break
		}
	}
	c.budget.earn(int64(len(b.legs)))
	return b.items(len(keys)), b.err()
}

// maxRounds bounds how often the keys that were not answered go to other servers:
// once more home after a lost connection, to the stand-in, and to its own.
const maxRounds = 3

// legKeys is the most keys that one request asks for. More would keep others
// waiting on the same connection.
const legKeys = 512

// batch is one multi-get. Batches are reused.
type batch struct {
	c        *Client
	ctx      context.Context
	snap     *snapshot
	deadline time.Time
	legs     []*leg
	calls    []pool.Call // of the legs that are under way
	spare    []*leg
	open     []int    // by ring.Index: the place in legs, plus one, that takes keys
	homeless []string // keys whose server has not answered in the last round
	other    []string // memory for the next homeless
	lost     []error  // why: an *OpError for each such server
	failures []error  // of *OpError, for good
	torn     trail    // servers that lost a connection and may be asked again
	bad      trail    // servers not to be asked again
}

// leg is one request of a batch, to one server.
type leg struct {
	pool.Request
	s   *server
	err error
}

func (b *batch) begin(c *Client, ctx context.Context) {
	b.c, b.ctx, b.snap = c, ctx, c.snap.Load()
	b.deadline = c.deadline(ctx, 0)
	b.sizeOpen()
}

func (b *batch) sizeOpen() {
	if n := len(b.snap.servers); cap(b.open) < n {
		b.open = make([]int, n)
	} else {
		b.open = b.open[:n]
		clear(b.open)
	}
}

// place adds key to the leg of the server that serves it.
func (b *batch) place(key string) {
	i := b.snap.home(key)
	home := b.snap.servers[i]
	if !home.careful.Load() {
		b.add(i, key)
		return
	}
	switch home.serves(key, b.snap) {
	case atHome:
		b.add(i, key)
	case isMiss:
	case nowhere:
		b.fail(home, key, ErrServerDown)
	case byOthers:
		b.placeAway(home, key)
	}
}

// placeAway adds key to the leg of its stand-in.
func (b *batch) placeAway(home *server, key string) {
	var not trail
	not.add(home)
	moves := b.c.cfg.OnEject == Rehash
	if moves {
		if s := b.snap.standIn(key, &not); s != nil {
			b.add(b.snap.index[s.Name], key)
			b.c.counters.standIns.Add(1)
			return
		}
	}
	if !b.snap.modeOf(home).open() && (!moves || b.snap.anybody(key) == nil) {
		b.fail(home, key, ErrServerDown)
	} // else hints say that there is nothing to be read
}

func (b *batch) add(i int, key string) {
	at := b.open[i]
	if at == 0 || len(b.legs[at-1].Keys) == legKeys {
		b.legs = append(b.legs, b.newLeg(b.snap.servers[i]))
		at = len(b.legs)
		b.open[i] = at
	}
	l := b.legs[at-1]
	l.Keys = append(l.Keys, key)
}

func (b *batch) newLeg(s *server) *leg {
	var l *leg
	if n := len(b.spare); n > 0 {
		l, b.spare = b.spare[n-1], b.spare[:n-1]
	} else {
		l = new(leg)
	}
	l.Op, l.s = proto.OpGetMulti, s
	return l
}

// ask sends the legs that have not been sent, waits for them and gathers the keys
// of those that failed.
func (b *batch) ask(timeout time.Duration) {
	first := 0
	for first < len(b.legs) && b.legs[first].Timeout != 0 {
		first++
	}
	now := b.legs[first:]
	for _, l := range now {
		l.Timeout = timeout
		if l.s.doubtful() {
			l.Timeout = min(timeout, l.s.patience())
		}
		b.calls = append(b.calls, pool.Call{Pool: l.s.pool, Request: &l.Request})
	}
	pool.DoAll(b.ctx, b.calls)
	for i, l := range now {
		l.err = b.calls[i].Err
		b.settle(l)
	}
	clear(b.calls)
	b.calls = b.calls[:0]
}

// settle handles the end of a leg.
func (b *batch) settle(l *leg) {
	err, lost := l.err.(*pool.Error)
	switch {
	case l.err == nil:
		if l.s.doubtful() {
			l.s.doubt(false)
		}
	case lost && b.ctx.Err() == nil && !b.isOver(l.err):
		l.s.failed(err)
		b.homeless = append(b.homeless, l.Keys...)
		b.lost = failure(b.lost, l.s, l.Keys[0], l.err)
		b.mark(l.s, errors.Is(l.err, pool.ErrConnLost))
	default:
		b.failures = failure(b.failures, l.s, l.Keys[0], l.err)
	}
}

// isOver reports whether err means that the client was closed.
func (b *batch) isOver(err error) bool {
	return errors.Is(err, pool.ErrClosed) && b.c.snap.Load() == b.snap
}

// mark notes that s has failed. A healthy server that closed a connection is asked
// once more, as by other operations.
func (b *batch) mark(s *server, torn bool) {
	list := &b.bad
	if torn && !b.torn.has(s) && s.monitor.State() == heartbeat.Healthy {
		list = &b.torn
	}
	if !list.has(s) && list.n < maxTries {
		list.add(s)
	}
}

// moveOn asks other servers for the keys that were not answered, and reports
// whether it did.
func (b *batch) moveOn() bool {
	left := time.Until(b.deadline)
	if left < leastAttempt {
		return false
	}
	b.snap = b.c.snap.Load()
	b.sizeOpen()
	keys, lost := b.homeless, b.lost
	b.homeless, b.lost = b.other[:0], nil
	b.other = keys
	before := len(b.legs)
	for _, key := range keys {
		b.placeAgain(key, lost)
	}
	for i := range b.legs[before:] {
		if !b.c.budget.spend() {
			b.c.counters.overBudget.Add(1)
			b.legs = b.legs[:before+i]
			b.failures = append(b.failures, lost...)
			break
		}
	}
	b.c.counters.retries.Add(uint64(len(b.legs) - before))
	if b.torn.n > b.bad.n {
		left = min(left/2, b.c.cfg.AttemptTimeout)
	}
	b.ask(left)
	return true
}

// placeAgain adds a key to the leg of a server that may still be asked.
func (b *batch) placeAgain(key string, lost []error) {
	i := b.snap.home(key)
	home := b.snap.servers[i]
	m := b.snap.modes[i]
	s := home
	if !m.open() || b.bad.has(home) {
		s = nil
		if m != down && b.c.cfg.OnEject == Rehash {
			not := b.bad
			if !not.has(home) && not.n < maxTries {
				not.add(home)
			}
			s = b.snap.standIn(key, &not)
		}
	}
	switch {
	case s != nil:
		b.add(b.snap.index[s.Name], key)
	case m.open():
		b.add(i, key) // once more: nobody else is left
	case m == moved && b.c.cfg.OnEject == Rehash && b.snap.anybody(key) != nil:
		b.add(b.snap.index[b.snap.anybody(key).Name], key)
	default:
		for _, err := range lost {
			b.failures = again(b.failures, err, home)
		}
		b.fail(home, key, ErrServerDown)
	}
}

// again adds err to list if it is the first of s.
func again(list []error, err error, s *server) []error {
	if err.(*OpError).Server != s.Name || slices.ContainsFunc(list, func(e error) bool { return e.(*OpError).Server == s.Name }) {
		return list
	}
	return append(list, err)
}

func (b *batch) fail(s *server, key string, err error) {
	b.failures = failure(b.failures, s, key, err)
}

// failure adds an error for s to list, unless there is one.
func failure(list []error, s *server, key string, err error) []error {
	for _, known := range list {
		if known.(*OpError).Server == s.Name {
			return list
		}
	}
	return append(list, opError(proto.OpGetMulti, s, key, err))
}

// err joins what has failed for good.
func (b *batch) err() error {
	return errors.Join(append(b.failures, b.lost...)...)
}

// items gathers what arrived.
func (b *batch) items(asked int) map[string]*Item {
	hits := 0
	for _, l := range b.legs {
		if l.err == nil {
			hits += len(l.Hits)
		}
	}
	found := make(map[string]*Item, min(hits, asked))
	slab := make([]Item, hits)
	for _, l := range b.legs {
		if l.err != nil {
			continue
		}
		for _, h := range l.Hits {
			it := &slab[0]
			slab = slab[1:]
			*it = Item{Key: l.Keys[h.Index], Value: h.Value, Flags: h.Flags, CasID: h.CAS}
			found[it.Key] = it
		}
	}
	return found
}

// free gives the batch back, without what it held.
func (b *batch) free(c *Client) {
	for _, l := range b.legs {
		keys := l.Keys
		clear(keys)
		l.Reset()
		l.Keys, l.s, l.err = keys[:0], nil, nil
	}
	b.spare = append(b.spare, b.legs...)
	clear(b.legs)
	clear(b.homeless[:cap(b.homeless)])
	clear(b.other[:cap(b.other)])
	b.legs, b.homeless, b.lost, b.failures = b.legs[:0], b.homeless[:0], nil, nil
	b.c, b.ctx, b.snap, b.torn, b.bad = nil, nil, nil, trail{}, trail{}
	c.batches.Put(b)
}
