package ring

import (
	"slices"
	"testing"
)

func TestWalkFollowsWithout(t *testing.T) {
	for _, l := range Layouts() {
		r := mustNew(t, l, fleet(12, 3)...)
		for i := range 60 {
			key := keyNumber("key-", i)
			view := r
			for s := range r.Walk(key) {
				if got := mustPick(t, view, key); got != s.Name {
					t.Fatalf("%s: %q: walk says %s, view says %s", l, key, s.Name, got)
				}
				view = view.Without(s.Name)
			}
			if _, ok := view.Pick(key); ok || len(view.Servers()) != 0 {
				t.Fatalf("%s: walk left %v", l, view.Servers())
			}
		}
	}
}

func TestWalkMeetsEveryServerOnce(t *testing.T) {
	for _, n := range []int{1, 2, 8, 9, 10, 64, 65, 300} {
		for _, l := range []Layout{Ketama, Dalli, ModCRC15} {
			r := mustNew(t, l, fleet(n, 2)...).Without("10.0.0.2:11211", "10.0.0.9:11211")
			var met []string
			for s := range r.Walk("key") {
				met = append(met, s.Name)
			}
			want := make([]string, 0, n)
			for _, s := range r.Servers() {
				want = append(want, s.Name)
			}
			slices.Sort(met)
			slices.Sort(want)
			if !slices.Equal(met, want) {
				t.Errorf("%s, %d servers: met %v", l, n, met)
			}
		}
	}
}

func TestWalkStopsWhenAsked(t *testing.T) {
	for _, l := range []Layout{Ketama, ModCRC32} {
		r := mustNew(t, l, fleet(20, 1)...)
		for stop := 1; stop < 20; stop++ {
			met := 0
			for range r.Walk("key") {
				if met++; met == stop {
					break
				}
			}
			if met != stop {
				t.Errorf("%s: met %d, want %d", l, met, stop)
			}
		}
	}
}
