package mctest

import (
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	c := clock{read: func() time.Time { return start.Add(10*time.Second + 999*time.Millisecond) }, started: start}
	now := c.now()
	if now != bootSecond+10 {
		t.Fatalf("now is %d", now)
	}
	for exptime, want := range map[int32]int64{
		0:              0,
		1:              now + 1,
		-1:             1,
		-2147483648:    1,
		thirtyDays:     now + thirtyDays,
		thirtyDays + 1: 1, // a Unix time in 1970
		1_799_999_938:  1, // server second 0
		1_799_999_939:  1,
		1_800_000_000:  bootSecond,
		1_800_000_011:  now + 1,
		2147483647:     2147483647 - 1_800_000_000 + bootSecond,
	} {
		if got := c.deadline(exptime, now); got != want {
			t.Errorf("exptime %d: second %d, want %d", exptime, got, want)
		}
	}
}
