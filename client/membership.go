package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/pool"
	"github.com/ringbeat/ringbeat/ring"
)

// ErrShrunk is the cause when SetServers is given less than half of the servers
// there are: more likely a source of names in trouble than a wish. Use
// ReplaceAllServers where it is one.
var ErrShrunk = errors.New("client: the new list has less than half of the servers")

// AddServer makes s a member. It begins to serve with its first good answer to a
// heartbeat; until then its keys stay where they are.
func (c *Client) AddServer(s ring.Server) error {
	return c.change(func(list []ring.Server) ([]ring.Server, error) { return append(list, s), nil })
}

// RemoveServer takes the server with the given name out. What is under way there
// ends; its keys go to the servers after it on the ring. The last server cannot
// be removed: the error is ErrNoServers.
func (c *Client) RemoveServer(name string) error {
	return c.change(func(list []ring.Server) ([]ring.Server, error) {
		i := named(list, name)
		if i < 0 {
			return nil, fmt.Errorf("%w: %.60q", ring.ErrUnknownServer, name)
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// ReplaceServer puts s in the place of the server with the given name. Where s
// has the same name and weight (s.Name "" means that), no key moves. The old
// server serves until the new one has answered a heartbeat.
func (c *Client) ReplaceServer(name string, s ring.Server) error {
	return c.change(func(list []ring.Server) ([]ring.Server, error) {
		i := named(list, name)
		if i < 0 {
			return nil, fmt.Errorf("%w: %.60q", ring.ErrUnknownServer, name)
		}
		if s.Name == "" {
			s.Name = name
		}
		list[i] = s
		return list, nil
	})
}

// SetServers makes the list the membership. Servers that are in both stay as they
// are; the others join and leave as with AddServer, RemoveServer and
// ReplaceServer. An empty list is refused with ErrNoServers, one with less than
// half of the servers with ErrShrunk.
func (c *Client) SetServers(servers ...ring.Server) error {
	return c.change(func(list []ring.Server) ([]ring.Server, error) {
		if len(servers) > 0 && 2*len(servers) < len(list) {
			return nil, fmt.Errorf("%w: %d of %d", ErrShrunk, len(servers), len(list))
		}
		return servers, nil
	})
}

// ReplaceAllServers is SetServers that takes any list but an empty one.
func (c *Client) ReplaceAllServers(servers ...ring.Server) error {
	return c.change(func([]ring.Server) ([]ring.Server, error) { return servers, nil })
}

func named(list []ring.Server, name string) int {
	return slices.IndexFunc(list, func(s ring.Server) bool { return s.Name == name })
}

// checkServers returns the list with its defaults filled in, or all that is wrong
// with it.
func checkServers(l ring.Layout, list []ring.Server) ([]ring.Server, error) {
	r, err := ring.New(l, list...)
	switch {
	case errors.Is(err, ring.ErrNoServers):
		return nil, fmt.Errorf("%w: %w", ErrNoServers, err)
	case err != nil:
		return nil, err
	}
	return r.Servers(), nil
}

// change makes the list that edit returns the membership.
func (c *Client) change(edit func([]ring.Server) ([]ring.Server, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	wanted, err := edit(c.wanted())
	if err != nil {
		return err
	}
	if wanted, err = checkServers(c.cfg.Layout, wanted); err != nil {
		return err
	}
	joined, removed, err := c.reconcile(wanted)
	if err != nil {
		return err
	}
	if len(joined)+len(removed) == 0 {
		return nil
	}
	c.epoch++
	c.refresh()
	c.tell(Event{Kind: Membership, At: time.Now(), Epoch: c.epoch, Joined: joined, Removed: removed})
	return nil
}

// wanted returns the membership as it was last asked for. The caller holds mu.
func (c *Client) wanted() []ring.Server {
	var list []ring.Server
	for _, s := range c.members {
		if !s.leaving {
			list = append(list, s.Server)
		}
	}
	return list
}

// reconcile lets servers join and leave so that wanted is what is left. The
// caller holds mu.
func (c *Client) reconcile(wanted []ring.Server) (joined, removed []string, err error) {
	before := c.members
	var members []*server
	for _, w := range wanted {
		if s := c.member(w); s != nil {
			members = append(members, s)
			continue
		}
		s, err := c.open(w, heartbeat.Probation)
		if err != nil {
			return nil, nil, err
		}
		members = append(members, s)
		joined = append(joined, w.Name)
	}
	for _, s := range before {
		switch {
		case slices.Contains(members, s):
			continue
		case !s.leaving:
			s.leaving = true
			s.heir = heirOf(s, before, members)
			removed = append(removed, s.Name)
		}
	}
	c.members = withLeaving(members, before)
	return joined, removed, nil
}

// withLeaving returns members with those that leave: each before its heir, where
// the ring expects it.
func withLeaving(members, before []*server) []*server {
	leaving := make(map[*server][]*server)
	for _, s := range before {
		if !s.leaving {
			continue
		}
		for s.heir != nil && s.heir.leaving {
			s.heir = s.heir.heir
		}
		leaving[s.heir] = append(leaving[s.heir], s)
	}
	var all []*server
	for _, s := range members {
		all = append(append(all, leaving[s]...), s)
	}
	return append(all, leaving[nil]...)
}

// member returns the member that is exactly as w, or nil.
func (c *Client) member(w ring.Server) *server {
	for _, s := range c.members {
		if !s.leaving && s.Server == w {
			return s
		}
	}
	return nil
}

// heirOf returns the new server that takes the place of s in the list: the one of
// its name, else the one at its position.
func heirOf(s *server, before, after []*server) *server {
	for _, other := range after {
		if other.Name == s.Name {
			return other
		}
	}
	i := slices.Index(before, s)
	if i < len(after) && !slices.Contains(before, after[i]) {
		return after[i]
	}
	return nil
}

// join adds a member that serves from the beginning. The caller holds mu.
func (c *Client) join(w ring.Server) error {
	s, err := c.open(w, heartbeat.Healthy)
	if err != nil {
		return err
	}
	s.admitted = true
	c.members = append(c.members, s)
	return nil
}

// open starts what belongs to a server. The caller holds mu, so that the first
// word of the monitor waits until the server is a member.
func (c *Client) open(w ring.Server, first heartbeat.State) (*server, error) {
	network, address := pool.SplitAddr(w.Addr)
	s := &server{
		Server: w, addr: addr{network, address}, c: c, healthy: first == heartbeat.Healthy,
		wake: make(chan struct{}, 1), kept: make(chan struct{}),
	}
	pc := c.cfg.Pool
	pc.Dial, pc.Username, pc.Password, pc.OnFailure = c.cfg.dialer(w.Addr), c.cfg.Username, c.cfg.Password, s.report
	p, err := pool.New(w.Addr, pc)
	if err != nil {
		return nil, err
	}
	s.pool = p
	hc := c.cfg.Heartbeat
	hc.Dial, hc.Username, hc.Password, hc.Initial = pc.Dial, pc.Username, pc.Password, first
	hc.OnTransition = func(t heartbeat.Transition) { c.transition(s, t) }
	hc.Readmit = s.readmit
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.keep()
	s.monitor = heartbeat.Start(w.Addr, hc)
	return s, nil
}

// current returns the servers that serve now, in list order, and takes those out
// of the membership that have left for good. The caller holds mu.
func (c *Client) current() (serve, gone []*server) {
	stays := slices.ContainsFunc(c.members, func(s *server) bool { return s.admitted && !s.leaving })
	var kept []*server
	for _, s := range c.members {
		replaced := stays && (s.heir == nil || s.heir.admitted)
		if s.leaving && (replaced || !s.admitted) {
			gone = append(gone, s)
			continue
		}
		kept = append(kept, s)
		if s.admitted {
			serve = append(serve, s)
		}
	}
	c.members = kept
	return serve, gone
}

func sameServers(a, b []*server) bool {
	return slices.EqualFunc(a, b, func(x, y *server) bool { return x.Server == y.Server })
}
