package client

import "time"

// LimitHints makes n the number of hints kept for one server.
func (c *Client) LimitHints(n int) { c.maxHints = n }

// Quiet is how long a hint waits for a late write.
func (c *Client) Quiet() time.Duration { return c.quiet() }

// EmptyBudget leaves nothing for retries.
func (c *Client) EmptyBudget() { c.budget.tenths.Store(0) }

// Careful reports whether requests of the named server take the long way.
func (c *Client) Careful(name string) bool {
	snap := c.snap.Load()
	return snap.servers[snap.index[name]].careful.Load()
}
