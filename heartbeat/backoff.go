package heartbeat

import "time"

// holdDown returns how long a server stays out at least when it is ejected for
// the n-th time, counted from 0.
func holdDown(c *Config, n int) time.Duration {
	if n <= 0 || c.HoldDown < 0 {
		return 0
	}
	d := c.HoldDown
	for i := 1; i < n && d < c.MaxHoldDown; i++ {
		d *= 2
	}
	return min(d, c.MaxHoldDown)
}

// jitter returns d moved by up to ±spread of itself; random is in [0,1).
func jitter(d time.Duration, spread, random float64) time.Duration {
	return d + time.Duration(float64(d)*spread*(2*random-1))
}
