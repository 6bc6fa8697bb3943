package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestEditsEqualAFreshBuild(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		list := fleet(1+rnd.IntN(6), 5)
		r := mustNew(t, Ketama, list...)
		list = r.Servers()
		for range 20 {
			r, list = randomEdit(t, rnd, r, list)
			if !slices.Equal(r.Servers(), list) {
				t.Fatalf("seed %d: got %v, want %v", seed, r.Servers(), list)
			}
			same(t, r, mustNew(t, Ketama, list...))
		}
	}
}

// randomEdit edits the ring and, in the plainest way, the list of its servers.
func randomEdit(t *testing.T, rnd *rand.Rand, r *Ring, list []Server) (*Ring, []Server) {
	t.Helper()
	var err error
	before, listBefore := r, list
	list = slices.Clone(list)
	fresh := fmt.Sprintf("10.1.0.%d:%d", rnd.IntN(200)+1, 11211+rnd.IntN(1000))
	at := rnd.IntN(len(list))
	switch op := rnd.IntN(4); {
	case op == 0 || len(list) == 1:
		s := Server{Name: fresh, Addr: fresh, Weight: 1 + rnd.IntN(4)}
		list = append(list, s)
		r, err = r.Add(s)
	case op == 1:
		r, err = r.Remove(list[at].Name)
		list = slices.Delete(list, at, at+1)
	case op == 2:
		r, err = r.Replace(list[at].Name, Server{Addr: fresh})
		list[at].Addr = fresh
	default:
		s := Server{Name: fresh, Addr: fresh, Weight: 1 + rnd.IntN(4)}
		r, err = r.Replace(list[at].Name, s)
		list[at] = s
	}
	if errors.Is(err, ErrDuplicate) {
		return before, listBefore
	}
	if err != nil {
		t.Fatal(err)
	}
	return r, list
}

func TestWalkFollowsWithout(t *testing.T) {
	for _, l := range Layouts() {
		r := mustNew(t, l, fleet(12, 3)...)
		for i := range 200 {
			key := fmt.Sprintf("key-%d", i)
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
