package client

// LimitHints makes n the number of hints kept for one server.
func (c *Client) LimitHints(n int) { c.maxHints = n }

// EmptyBudget leaves nothing for retries.
func (c *Client) EmptyBudget() { c.budget.tenths.Store(0) }

// Careful reports whether requests of the named server take the long way.
func (c *Client) Careful(name string) bool {
	snap := c.snap.Load()
	return snap.servers[snap.index[name]].careful.Load()
}
