package heartbeat

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestWhatStandsInForProbes(t *testing.T) {
	type seen struct {
		kind Kind
		conn uint64
		at   time.Duration
	}
	for _, tc := range []struct {
		name string
		seen []seen
		want bool
	}{
		{"nothing", nil, false},
		{"one refused dial", []seen{{DialRefused, 0, 0}}, true},
		{"one reset", []seen{{Reset, 1, 0}}, false},
		{"two resets of one connection", []seen{{Reset, 1, 0}, {Reset, 1, 0}}, false},
		{"resets of two connections", []seen{{Reset, 1, 0}, {Reset, 2, 0}}, true},
		{"resets of two connections too far apart", []seen{{Reset, 1, 0}, {Reset, 2, time.Second + 1}}, false},
		{"two timeouts on two connections", []seen{{Timeout, 1, 0}, {Timeout, 2, 0}}, false},
		{"three timeouts on one connection", []seen{{Timeout, 1, 0}, {Timeout, 1, 0}, {Timeout, 1, 0}}, false},
		{"three timeouts on two connections", []seen{{Timeout, 1, 0}, {Timeout, 2, 0}, {Timeout, 1, 0}}, true},
		{"three timeouts, one too old", []seen{{Timeout, 1, 0}, {Timeout, 2, 500 * ms}, {Timeout, 1, time.Second + 1}}, false},
		{"a reset and timeouts", []seen{{Reset, 1, 0}, {Timeout, 2, 0}, {Timeout, 3, 0}}, false},
		{"successes", []seen{{Success, 1, 0}, {Success, 2, 0}, {Success, 3, 0}}, false},
		{"an unknown kind", []seen{{0, 1, 0}, {99, 2, 0}}, false},
	} {
		var sum tally
		last := noon
		for _, s := range tc.seen {
			last = noon.Add(s.at)
			sum.add(Evidence{Kind: s.kind, Conn: s.conn}, last)
		}
		if got := sum.strong(last.Add(-evidenceWindow)); got != tc.want {
			t.Errorf("%s: stands in: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestTallyLosesNothingThatMatters compares the tally, which has a fixed size,
// with the rule applied to the whole history.
func TestTallyLosesNothingThatMatters(t *testing.T) {
	type seen struct {
		Evidence
		at time.Time
	}
	strongs := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		var sum tally
		var all []seen
		now := noon
		for range 200 {
			now = now.Add(time.Duration(r.IntN(400)) * ms)
			e := Evidence{Kind: []Kind{Timeout, Timeout, Timeout, Reset, Success}[r.IntN(5)], Conn: r.Uint64N(4)}
			if r.IntN(3) > 0 {
				e.Conn = 1 // crowds the others out
			}
			sum.add(e, now)
			all = append(all, seen{e, now})

			from := now.Add(-evidenceWindow)
			count, conns := map[Kind]int{}, map[Kind]map[uint64]bool{Timeout: {}, Reset: {}, Success: {}}
			for _, s := range all {
				if !s.at.Before(from) {
					count[s.Kind]++
					conns[s.Kind][s.Conn] = true
				}
			}
			want := count[Timeout] >= 3 && len(conns[Timeout]) >= 2 || len(conns[Reset]) >= 2
			if got := sum.strong(from); got != want {
				t.Fatalf("seed %d: strong is %v, want %v", seed, got, want)
			}
			if want {
				strongs++
			}
		}
	}
	if strongs == 0 {
		t.Error("nothing was ever strong")
	}
}
