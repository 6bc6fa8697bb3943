//go:build !linux

package pool

// Only Linux looks for replies.

const spinWait = 0

func letRun(int) {}

func beginLook() bool { return false }
func endLook()        {}

func (c *conn) ride(r *Request) { <-r.done }
