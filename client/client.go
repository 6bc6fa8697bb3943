// Package client is the front door of ringbeat: a memcached client for many
// servers that stays fast while some of them die, hang, come back or are
// replaced.
//
// A key's server, its home, comes from package ring; the request goes over one of
// the few pipelined connections that package pool keeps to it; package heartbeat
// says which servers are out. The client routes by one immutable snapshot of
// topology and health. It runs each operation inside its time budget, at a
// stand-in where home does not answer, and remembers what home has missed, so
// that nothing stale is read there afterwards. docs/failover.md says what that
// covers and what it does not.
package client

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Client is a memcached client. It is safe for concurrent use. Close ends it.
type Client struct {
	cfg      Config
	maxHints int
	snap     atomic.Pointer[snapshot]
	calls    sync.Pool // of *call
	batches  sync.Pool // of *batch
	budget   budget
	counters counters
	events   events

	mu      sync.Mutex // guards the fields below; writers of snap hold it
	epoch   uint64
	members []*server   // in the order of the list, with those that join or leave
	rejudge *time.Timer // when the view of health changes by itself
	closed  bool
	closing sync.WaitGroup // removed servers that are being closed, and the timer
}

// counters only grow. Nothing on the way of an ordinary request touches them.
type counters struct {
	standIns, retries, overBudget    atomic.Uint64
	hints, hintsSent, hintsForgotten atomic.Uint64
	ejections, readmissions          atomic.Uint64
}

// New returns a client for cfg.Servers. It does not wait for any of them: a server
// that is down is noticed as usual. The error names all that is wrong with the
// configuration.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.filled()
	servers, listErr := checkServers(cfg.Layout, cfg.Servers)
	if err = errors.Join(err, listErr); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, maxHints: maxHints}
	c.calls.New = newEmptyCall
	c.batches.New = func() any { return new(batch) }
	c.budget.init()
	c.events.start(cfg.Logger, cfg.OnEvent)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range servers {
		if err := c.join(s); err != nil {
			panic("bug: a checked configuration makes no server: " + err.Error())
		}
	}
	c.epoch++
	c.refresh()
	return c, nil
}

// Close ends the operations under way with ErrClosed and returns when every
// connection is closed and every goroutine has ended. Further calls wait for the
// same.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	members := c.members
	c.members = nil
	c.cancelRejudge()
	c.mu.Unlock()
	var all sync.WaitGroup
	for _, s := range members {
		all.Go(s.close)
	}
	all.Wait()
	c.closing.Wait()
	c.events.stop()
}
