package ring

import (
	"slices"
	"testing"
)

const sampleKeys = 5000

// homes returns the server of each sample key.
func homes(t testing.TB, r *Ring) []string {
	t.Helper()
	names := make([]string, sampleKeys)
	for i := range names {
		names[i] = mustPick(t, r, keyNumber("user:", i))
	}
	return names
}

func TestWithoutMovesOnlyTheKeysOfThoseThatAreOut(t *testing.T) {
	for _, l := range Layouts() {
		r := mustNew(t, l, fleet(9, 3)...)
		before := homes(t, r)
		out := []string{"10.0.0.3:11211", "10.0.0.8:11211"}
		after := homes(t, r.Without(out...))
		moved := 0
		for i := range before {
			switch {
			case slices.Contains(out, after[i]):
				t.Fatalf("%s: key %d is on a server that is out", l, i)
			case slices.Contains(out, before[i]):
				moved++
			case before[i] != after[i]:
				t.Fatalf("%s: key %d moved from %s to %s", l, i, before[i], after[i])
			}
		}
		if moved == 0 {
			t.Errorf("%s: no key moved", l)
		}
		if again := homes(t, r); !slices.Equal(again, before) {
			t.Errorf("%s: the full ring changed", l)
		}
	}
}

func TestLostKeysSpreadOverAllOthers(t *testing.T) {
	for _, l := range Layouts() {
		r := mustNew(t, l, fleet(5, 1)...)
		lost := "10.0.0.2:11211"
		before, after := homes(t, r), homes(t, r.Without(lost))
		heirs := map[string]int{}
		for i := range before {
			if before[i] == lost {
				heirs[after[i]]++
			}
		}
		if len(heirs) != 4 && l != Twemproxy { // whose key hash puts such keys into clusters
			t.Errorf("%s: the keys went to %v", l, heirs)
		}
	}
}

func TestViewsAddUpAndReturn(t *testing.T) {
	for _, l := range Layouts() {
		r := mustNew(t, l, fleet(9, 2)...)
		a, b := "10.0.0.4:11211", "10.0.0.7:11211"
		same(t, r.Without(a).Without(b), r.Without(b, a))
		if r.Without() != r || r.Without("unknown") != r {
			t.Errorf("%s: a view without anybody out is a new ring", l)
		}
		view := r.Without(a)
		if view.Without(a) != view || len(view.Servers()) != 8 || view.live != 8 {
			t.Errorf("%s: taking out twice: %v", l, view.Servers())
		}
		all := r.Without("10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211", a, "10.0.0.5:11211",
			"10.0.0.6:11211", b, "10.0.0.8:11211", "10.0.0.9:11211")
		if _, ok := all.Pick("key"); ok || len(all.Servers()) != 0 || len(all.Points()) != 0 || all.Share(a) != 0 {
			t.Errorf("%s: nobody is left, and yet %v", l, all.Servers())
		}
		for s := range all.Walk("key") {
			t.Errorf("%s: walk found %v", l, s)
		}
	}
}

// TestEditsOfAViewKeepServersOut: membership and health are two things, and a
// share is never computed over the live servers alone.
func TestEditsOfAViewKeepServersOut(t *testing.T) {
	for _, l := range Layouts() {
		list := fleet(9, 2)
		out := []string{list[3].Addr, list[6].Addr}
		view := mustNew(t, l, list...).Without(out[0]).Without(out[1])
		check := func(edited *Ring, err error) *Ring {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			want := mustNew(t, l, list...).Without(out...)
			same(t, edited, want)
			same(t, edited.whole(), want.whole())
			if !slices.Equal(edited.Servers(), want.Servers()) {
				t.Fatalf("%s: servers %v, want %v", l, edited.Servers(), want.Servers())
			}
			return edited
		}

		list = append(list, Server{Addr: "x"})
		view = check(view.Add(Server{Addr: "x"}))

		first := list[0].Addr
		list = slices.Delete(list, 0, 1)
		view = check(view.Remove(first))

		renamed := Server{Name: "y", Addr: "y", Weight: 3}
		second := list[1].Addr
		list[1] = renamed
		view = check(view.Replace(second, renamed))

		gone := out[0]
		list, out = slices.Delete(list, 2, 3), out[1:]
		check(view.Remove(gone))
	}
}
