package mctest

import "time"

// clock turns the time of day into server seconds, in which memcached thinks:
// whole seconds since shortly before its start.
type clock struct {
	read    func() time.Time
	started time.Time
}

// bootSecond is the server second in which a server starts. memcached starts its
// count so late that a time of 1 is always in the past.
const bootSecond = 62

// thirtyDays is the longest relative exptime (protocol.txt, "Expiration times").
const thirtyDays = 60 * 60 * 24 * 30

func (c clock) now() int64 {
	return bootSecond + int64(c.read().Sub(c.started)/time.Second)
}

// origin is the Unix time of server second 0.
func (c clock) origin() int64 { return c.started.Unix() - bootSecond }

// deadline turns an exptime off the wire into a server second; 0 is never.
func (c clock) deadline(exptime int32, now int64) int64 {
	e := int64(exptime)
	switch {
	case e == 0:
		return 0
	case e < 0:
		return 1
	case e <= thirtyDays:
		return now + e
	case e <= c.origin():
		return 1
	default:
		return e - c.origin()
	}
}
