package client

import (
	"fmt"

	"github.com/ringbeat/ringbeat/ring"
)

// Drain takes a server out of service until Resume, for maintenance: its keys
// move to their stand-ins (or fail fast), requests under way there may end. It
// returns at once; an Event tells when it is done. The error wraps
// ring.ErrUnknownServer.
func (c *Client) Drain(name string) error {
	return c.operate(name, func(s *server) { s.monitor.Drain() })
}

// ForceEject is Drain that also closes the connections to the server, so that
// requests under way move on at once.
func (c *Client) ForceEject(name string) error {
	return c.operate(name, func(s *server) { s.monitor.Eject() })
}

// Resume lets a server serve again that Drain or ForceEject took out: as soon as
// it answers, and what it has missed is repaired. For a server that failures
// ejected it drops the hold-down.
func (c *Client) Resume(name string) error {
	return c.operate(name, func(s *server) { s.monitor.Resume() })
}

func (c *Client) operate(name string, order func(*server)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	for _, s := range c.members {
		if s.Name == name && !s.leaving {
			order(s)
			return nil
		}
	}
	return fmt.Errorf("%w: %.60q", ring.ErrUnknownServer, name)
}
