package client

import (
	"math"
	"time"
)

// relativeLimit is the longest expiration that memcached takes as relative to
// now, 30 days; a larger number is a Unix time (protocol.txt, "Expiration
// times").
const relativeLimit = 30 * 24 * 60 * 60

// Exptime returns what Item.Expiration must be for a value to live for ttl: whole
// seconds, rounded up, and beyond 30 days a Unix time. 0 means that it never
// expires, a negative ttl that it expires at once.
func Exptime(ttl time.Duration) int32 { return exptimeAt(ttl, time.Now()) }

func exptimeAt(ttl time.Duration, now time.Time) int32 {
	switch seconds := wholeSeconds(ttl); {
	case ttl == 0:
		return 0
	case ttl < 0:
		return -1
	case seconds <= relativeLimit:
		return int32(seconds)
	default:
		return int32(min(now.Unix()+seconds, math.MaxInt32))
	}
}

func wholeSeconds(d time.Duration) int64 {
	seconds := int64(d / time.Second)
	if d%time.Second > 0 {
		seconds++
	}
	return seconds
}

// capExptime shortens exp so that the value lives for ttl at most.
func capExptime(exp int32, ttl time.Duration, now time.Time) int32 {
	most := wholeSeconds(min(ttl, relativeLimit*time.Second))
	left := int64(exp)
	switch {
	case exp < 0:
		return exp
	case exp == 0:
		left = most
	case exp > relativeLimit:
		if left = int64(exp) - now.Unix(); left <= 0 {
			return -1
		}
	}
	return int32(min(left, most))
}
