package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/ring"
)

// errEjected is what requests under way end with when their server is ejected.
var errEjected = errors.New("memcache: server was ejected")

// transition takes in what a monitor says about its server. It runs in the
// monitor's goroutine.
func (c *Client) transition(s *server, t heartbeat.Transition) {
	c.mu.Lock()
	if c.closed || !slices.Contains(c.members, s) {
		c.mu.Unlock()
		return
	}
	s.reason = t.Reason
	if t.To == heartbeat.Healthy && !s.admitted {
		s.admitted = true
		c.epoch++
	}
	cut := c.refresh()
	snap := c.snap.Load()
	c.mu.Unlock()
	c.cut(cut, t.Reason)
	switch {
	case t.To == heartbeat.Ejected && t.From.Usable():
		c.counters.ejections.Add(1)
	case t.To == heartbeat.Healthy && t.Reason == heartbeat.ReasonReadmitted:
		c.counters.readmissions.Add(1)
	}
	c.tell(Event{
		Kind: Transition, At: t.At, Server: s.Name, From: t.From, To: t.To, Reason: t.Reason,
		Probes: t.Probes, SelfLag: t.SelfLag, HoldDown: t.HoldDown, Err: t.Err,
		Mode: snap.modeOf(s).String(), Moved: snap.movedShare(), Epoch: snap.epoch,
	})
}

// cut ends what is under way at servers that no longer serve. Their connections
// are closed hard, so that nothing that lies in a socket arrives late.
func (c *Client) cut(servers []*server, why heartbeat.Reason) {
	for _, s := range servers {
		if why != heartbeat.ReasonDrain {
			s.pool.Drain(errEjected)
		}
	}
}

// refresh makes the snapshot that follows from membership and health and
// publishes it. It returns the servers that no longer serve. The caller holds mu.
func (c *Client) refresh() (cut []*server) {
	now := time.Now()
	servers, gone := c.current()
	health := make([]heartbeat.Snapshot, len(servers))
	for i, s := range servers {
		health[i] = s.monitor.Snapshot()
	}
	view := heartbeat.Judge(now, health, c.cfg.MaxMoved)
	old := c.snap.Load()
	next := c.assemble(old, servers, view)
	better := c.announce(old, next, health, now, &cut)
	c.snap.Store(next)
	for _, i := range better {
		next.servers[i].update(next.modes[i], health[i].State, now)
	}
	for _, s := range gone {
		c.closing.Go(s.retire)
	}
	c.follow(view, now)
	if old != nil && old.local != next.local {
		c.tell(Event{Kind: LocalFault, At: now, On: next.local, Epoch: next.epoch, Moved: next.movedShare()})
	}
	return cut
}

// follow does what the view of health asks for beside the snapshot.
func (c *Client) follow(view heartbeat.View, now time.Time) {
	if view.Forgive {
		for _, s := range c.members {
			s.monitor.Forgive()
		}
	}
	c.cancelRejudge()
	if !view.Until.IsZero() {
		c.closing.Add(1)
		c.rejudge = time.AfterFunc(view.Until.Sub(now)+time.Millisecond, func() {
			defer c.closing.Done()
			c.reconsider()
		})
	}
}

// cancelRejudge takes the timer back. The caller holds mu.
func (c *Client) cancelRejudge() {
	if c.rejudge != nil && c.rejudge.Stop() {
		c.closing.Done()
	}
	c.rejudge = nil
}

// reconsider refreshes the snapshot for the sake of the time that has passed.
func (c *Client) reconsider() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	cut := c.refresh()
	c.mu.Unlock()
	c.cut(cut, "")
}

// assemble builds a snapshot. The ring is kept where the membership has not
// changed.
func (c *Client) assemble(old *snapshot, servers []*server, view heartbeat.View) *snapshot {
	next := &snapshot{epoch: c.epoch, servers: servers, local: view.LocalFault}
	if old != nil && sameServers(old.servers, servers) {
		next.ring, next.index = old.ring, old.index
	} else {
		next.ring, next.index = c.layOut(servers)
	}
	next.modes = make([]mode, len(servers))
	var out []string
	for i, route := range view.Routes {
		next.modes[i] = c.modeFor(route)
		if !next.modes[i].open() {
			out = append(out, servers[i].Name)
		}
	}
	if old != nil && old.ring == next.ring && slices.EqualFunc(old.modes, next.modes, sameOpen) {
		next.view = old.view
	} else {
		next.view = next.ring.Without(out...)
	}
	return next
}

func sameOpen(a, b mode) bool { return a.open() == b.open() }

func (c *Client) modeFor(r heartbeat.Route) mode {
	switch {
	case r == heartbeat.Serve:
		return serving
	case r == heartbeat.Move && c.cfg.OnEject == Rehash:
		return moved
	}
	return down
}

func (c *Client) layOut(servers []*server) (*ring.Ring, map[string]int) {
	list := make([]ring.Server, len(servers))
	index := make(map[string]int, len(servers))
	for i, s := range servers {
		list[i] = s.Server
		index[s.Name] = i
	}
	r, err := ring.New(c.cfg.Layout, list...)
	if err != nil {
		panic("bug: a checked list of servers makes no ring: " + err.Error())
	}
	return r, index
}

// announce tells the servers that got worse before the snapshot is stored, and
// returns the places of those that must be told afterwards. Servers that come
// back with a ramp are set on it.
func (c *Client) announce(old, next *snapshot, health []heartbeat.Snapshot, now time.Time, cut *[]*server) (later []int) {
	for i, s := range next.servers {
		was := old.modeBefore(s)
		next.modes[i] = c.ramp(s, was, next.modes[i], now)
		if next.modes[i] > was || health[i].State != heartbeat.Healthy {
			s.update(next.modes[i], health[i].State, now)
		} else {
			later = append(later, i)
		}
		if was.open() && !next.modes[i].open() {
			*cut = append(*cut, s)
		}
	}
	return later
}

// ramp returns the mode of a server that serves again: returning until the ramp
// is over.
func (c *Client) ramp(s *server, was, m mode, now time.Time) mode {
	if m != serving || c.cfg.Ramp == 0 || c.cfg.OnEject == FailFast {
		return m
	}
	if was == moved || was == returning && s.ramping(now) {
		return returning
	}
	return m
}

// readmit repairs a server before it serves again. It runs in a goroutine of the
// monitor, while the server's connections are closed since its ejection.
func (s *server) readmit(ctx context.Context, found heartbeat.Incarnation) error {
	s.pool.ResetBackoff()
	if found.Empty() {
		s.mu.Lock()
		n := s.hints.drop()
		s.mu.Unlock()
		s.c.counters.hintsForgotten.Add(uint64(n))
		if n > 0 {
			s.c.tell(Event{Kind: HintsDropped, Server: s.Name, At: time.Now(), Hints: n})
		}
	}
	return s.replayAll(ctx)
}
