package ring

import (
	"fmt"
	"testing"
)

func TestIndexNamesPicksServerInFullRingAndView(t *testing.T) {
	list := []Server{{Name: "a:1"}, {Name: "b:1", Weight: 3}, {Name: "c:1"}, {Name: "d:1"}}
	for _, l := range []Layout{Ketama} {
		full, err := New(l, list...)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Ring{full, full.Without("b:1"), full.Without("a:1", "d:1")} {
			for i := range 2000 {
				key := fmt.Sprint("key:", i)
				want, ok := r.Pick(key)
				at := r.Index(key)
				if !ok || at < 0 || list[at].Name != want.Name {
					t.Fatalf("%s: Index(%q) = %d, Pick = %q, %v", l, key, at, want.Name, ok)
				}
			}
		}
		if at := full.Without("a:1", "b:1", "c:1", "d:1").Index("key"); at != -1 {
			t.Errorf("%s: Index on an empty view = %d, want -1", l, at)
		}
	}
}

func TestIndexDoesNotAllocate(t *testing.T) {
	r, err := New("", Server{Name: "a:1"}, Server{Name: "b:1"})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { r.Index("some key") }); n != 0 {
		t.Errorf("Index allocates %v times", n)
	}
}
