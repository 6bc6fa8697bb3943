package client

import (
	"math"
	"testing"
	"time"
)

func TestExptime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	const day = 24 * time.Hour
	for _, c := range []struct {
		ttl  time.Duration
		want int32
	}{
		{0, 0},
		{-1, -1},
		{-day, -1},
		{1, 1}, // never 0, which would be forever
		{time.Second, 1},
		{time.Second + 1, 2},
		{30 * day, 30 * 24 * 3600},
		{30*day + 1, 1_700_000_000 + 30*24*3600 + 1},
		{365 * day, 1_700_000_000 + 365*24*3600},
		{math.MaxInt64, math.MaxInt32},
	} {
		if got := exptimeAt(c.ttl, now); got != c.want {
			t.Errorf("%v is %d on the wire, want %d", c.ttl, got, c.want)
		}
	}
	if got := Exptime(time.Minute); got != 60 {
		t.Errorf("a minute is %d", got)
	}
}

func TestCapExptime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		exp  int32
		ttl  time.Duration
		want int32
	}{
		{0, 10 * time.Second, 10},
		{0, 1500 * time.Millisecond, 2},
		{5, 10 * time.Second, 5},
		{3600, 10 * time.Second, 10},
		{-1, 10 * time.Second, -1},
		{1_700_000_005, 10 * time.Second, 5},
		{1_700_003_600, 10 * time.Second, 10},
		{1_699_999_999, 10 * time.Second, -1},
		{0, 10_000 * time.Hour, 30 * 24 * 3600},
	} {
		if got := capExptime(c.exp, c.ttl, now); got != c.want {
			t.Errorf("%d capped to %v is %d, want %d", c.exp, c.ttl, got, c.want)
		}
	}
}
