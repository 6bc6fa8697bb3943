package ring

import (
	"fmt"
	"slices"
	"sort"
	"testing"
)

// fleet returns n servers with weights 1 to top, in turn.
func fleet(n, top int) []Server {
	servers := make([]Server, n)
	for i := range servers {
		servers[i] = Server{Addr: fmt.Sprintf("10.0.%d.%d:11211", i/200, i%200+1), Weight: 1 + i%top}
	}
	return servers
}

func mustNew(t testing.TB, l Layout, servers ...Server) *Ring {
	t.Helper()
	r, err := New(l, servers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustPick(t testing.TB, r *Ring, key string) string {
	t.Helper()
	s, ok := r.Pick(key)
	if !ok {
		t.Fatalf("no server for %q", key)
	}
	return s.Name
}

// same fails unless both rings are equal point by point and bucket by bucket.
func same(t testing.TB, got, want *Ring) {
	t.Helper()
	equal := slices.Equal(got.servers, want.servers) && slices.Equal(got.points, want.points)
	if !equal && !slices.Equal(got.Points(), want.Points()) { // the same points, of servers listed otherwise
		t.Fatal("points differ from a fresh build")
	}
	if !slices.Equal(got.index, want.index) || got.shift != want.shift {
		t.Fatal("index differs from a fresh build")
	}
	if !slices.Equal(got.slots, want.slots) || got.live != want.live {
		t.Fatal("slots differ from a fresh build")
	}
}

func TestPickFindsTheFirstPointAtOrAfterTheKey(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 100} {
		r := mustNew(t, Ketama, fleet(n, 3)...)
		points := r.Points()
		for i := range 10_000 {
			key := fmt.Sprintf("user:%d", i)
			h := HashKey(key)
			at := sort.Search(len(points), func(i int) bool { return points[i].Hash >= h })
			want := points[at%len(points)].Server
			if got := mustPick(t, r, key); got != want {
				t.Fatalf("%d servers, key %q: got %s, want %s", n, key, got, want)
			}
		}
	}
}

func TestOrderOfServersDoesNotMatterByDefault(t *testing.T) {
	servers := fleet(20, 4)
	want := mustNew(t, "", servers...)
	slices.Reverse(servers)
	same(t, mustNew(t, Ketama, servers...), want)
}

func TestPickAndWalkDoNotAllocate(t *testing.T) {
	for _, l := range Layouts() {
		r := mustNew(t, l, fleet(40, 3)...)
		key := "session:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
		raw := []byte("user:1234567") // up to 32 bytes fit on the caller's stack if the key does not escape
		if n := testing.AllocsPerRun(100, func() { r.Pick(key) }); n != 0 {
			t.Errorf("%s: Pick allocates %v times", l, n)
		}
		if n := testing.AllocsPerRun(100, func() { r.Pick(string(raw)) }); n != 0 {
			t.Errorf("%s: Pick of a key made from bytes allocates %v times", l, n)
		}
		if n := testing.AllocsPerRun(100, func() { r.Index(key) }); n != 0 {
			t.Errorf("%s: Index allocates %v times", l, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			left := 2
			for range r.Walk(key) {
				if left--; left == 0 {
					break
				}
			}
		}); n != 0 {
			t.Errorf("%s: Walk to the second server allocates %v times", l, n)
		}
	}
}

func TestIndexNamesPicksServerInFullRingAndView(t *testing.T) {
	for _, l := range Layouts() {
		full := mustNew(t, l, fleet(6, 3)...)
		list := full.Servers()
		for _, r := range []*Ring{full, full.Without(list[1].Name), full.Without(list[0].Name, list[3].Name)} {
			for i := range 2000 {
				key := keyNumber("key:", i)
				if at, want := r.Index(key), mustPick(t, r, key); at < 0 || list[at].Name != want {
					t.Fatalf("%s: Index(%q) = %d, Pick = %q", l, key, at, want)
				}
			}
		}
		none := full
		for _, s := range list {
			none = none.Without(s.Name)
		}
		if at := none.Index("key"); at != -1 {
			t.Errorf("%s: Index on an empty view = %d, want -1", l, at)
		}
	}
}
