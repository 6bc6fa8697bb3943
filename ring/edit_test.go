package ring

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEditsEqualAFreshBuild runs 10,000 seeded histories of six edits. Every
// third has so few different hashes that most points collide.
func TestEditsEqualAFreshBuild(t *testing.T) {
	plain, _ := Ketama.scheme()
	few := crowded(t, 100)
	few.labels = perWeight(40)
	for seed := range uint64(10_000) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		sc := plain
		if seed%3 == 0 {
			sc = few
		}
		h := newHistory(t, rnd, sc)
		for step := range 6 {
			h.edit()
			if step == 5 || seed%50 == 0 {
				h.check()
			}
		}
	}
}

func TestEditsOfOtherLayoutsEqualAFreshBuild(t *testing.T) {
	for _, l := range Layouts()[1:] {
		sc, err := l.scheme()
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(20) {
			h := newHistory(t, rand.New(rand.NewPCG(seed, 1)), sc)
			for range 10 {
				h.edit()
				h.check()
			}
		}
	}
}

// history edits a ring and, in the plainest way, the list of its servers.
type history struct {
	t    *testing.T
	rnd  *rand.Rand
	ring *Ring
	list []Server
	next int // number of the next new server
}

func newHistory(t *testing.T, rnd *rand.Rand, sc scheme) *history {
	t.Helper()
	h := &history{t: t, rnd: rnd}
	for range 1 + rnd.IntN(3) {
		h.list = append(h.list, h.fresh())
	}
	var err error
	if h.ring, err = build(sc, slices.Clone(h.list)); err != nil {
		t.Fatal(err)
	}
	return h
}

// fresh returns a server that was never there; weights of 1 are the rule.
func (h *history) fresh() Server {
	h.next++
	addr := fmt.Sprintf("10.%d.%d.%d:11211", h.next, h.rnd.IntN(250), h.rnd.IntN(250))
	return Server{Name: addr, Addr: addr, Weight: max(1, h.rnd.IntN(6)-3)}
}

func (h *history) edit() {
	h.t.Helper()
	var err error
	at := h.rnd.IntN(len(h.list))
	name := h.list[at].Name
	s := h.fresh()
	switch op := h.rnd.IntN(6); {
	case op <= 1 || len(h.list) == 1:
		h.ring, err = h.ring.Add(s)
		h.list = append(h.list, s)
	case op <= 3:
		h.ring, err = h.ring.Remove(name)
		h.list = slices.Delete(h.list, at, at+1)
	case op == 4:
		h.ring, err = h.ring.Replace(name, Server{Addr: s.Addr})
		h.list[at].Addr = s.Addr
	default:
		h.ring, err = h.ring.Replace(name, s)
		h.list[at] = s
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) check() {
	h.t.Helper()
	if !slices.Equal(h.ring.Servers(), h.list) {
		h.t.Fatalf("servers are %v, want %v", h.ring.Servers(), h.list)
	}
	want, err := build(h.ring.scheme, slices.Clone(h.list))
	if err != nil {
		h.t.Fatal(err)
	}
	same(h.t, h.ring, want)
}

func TestAddMovesKeysOnlyToTheNewServer(t *testing.T) {
	for _, n := range []int{1, 3, 10, 50} {
		r := mustNew(t, Ketama, fleet(n, 1)...)
		grown, err := r.Add(Server{Addr: "new"})
		if err != nil {
			t.Fatal(err)
		}
		before, after := homes(t, r), homes(t, grown)
		moved := 0
		for i := range before {
			if before[i] == after[i] {
				continue
			}
			moved++
			if after[i] != "new:11211" {
				t.Fatalf("%d servers: key %d moved from %s to %s", n, i, before[i], after[i])
			}
		}
		// The part of one of n+1 random rings' worth of points varies, and so
		// does the part of the sample that falls on it.
		ideal := 1 / float64(n+1)
		sd := math.Sqrt(ideal*(1-ideal)/float64(160*(n+1))) + math.Sqrt(ideal*(1-ideal)/sampleKeys)
		if got := float64(moved) / sampleKeys; math.Abs(got-ideal) > 3*sd {
			t.Errorf("%d servers: %.4f of the keys moved, ideal %.4f, sd %.4f", n, got, ideal, sd)
		}
	}
}

func TestAddThenRemoveIsWhereItBegan(t *testing.T) {
	for _, l := range Layouts() {
		r := mustNew(t, l, fleet(6, 3)...)
		grown, err := r.Add(Server{Addr: "new", Weight: 2})
		if err != nil {
			t.Fatal(err)
		}
		back, err := grown.Remove("new:11211")
		if err != nil {
			t.Fatal(err)
		}
		same(t, back, r)
	}
}

// TestRingsOfOneParentAreIndependent: both children append to the same list.
func TestRingsOfOneParentAreIndependent(t *testing.T) {
	parent := mustNew(t, Ketama, fleet(5, 1)...)
	for range 4 { // until the list has room to spare
		grown, err := parent.Add(Server{Addr: keyNumber("more", len(parent.Servers()))})
		if err != nil {
			t.Fatal(err)
		}
		parent = grown
		first, err := parent.Add(Server{Addr: "first"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parent.Add(Server{Addr: "second"}); err != nil {
			t.Fatal(err)
		}
		if list := first.Servers(); list[len(list)-1].Addr != "first:11211" {
			t.Fatalf("a later ring wrote %v into an earlier one", list[len(list)-1])
		}
	}
}

func TestReplacedAddressMovesNoKey(t *testing.T) {
	for _, l := range Layouts() {
		list := fleet(6, 3)
		list[2].Name = "cache-2"
		r := mustNew(t, l, list...)
		moved, err := r.Replace("cache-2", Server{Addr: "10.9.9.9"})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(homes(t, r), homes(t, moved)) {
			t.Errorf("%s: keys moved", l)
		}
		if got, want := moved.Servers()[2], (Server{"cache-2", "10.9.9.9:11211", 3}); got != want {
			t.Errorf("%s: got %v, want %v", l, got, want)
		}
		if r.Servers()[2].Addr != list[2].Addr {
			t.Errorf("%s: the old ring changed", l)
		}
	}
}

func TestWeightZeroIsOne(t *testing.T) {
	for _, l := range Layouts() {
		zero, one := fleet(4, 1), fleet(4, 1)
		zero[1].Weight, one[1].Weight = 0, 1
		a, b := mustNew(t, l, zero...), mustNew(t, l, one...)
		same(t, a, b)
		if a.Servers()[1].Weight != 1 {
			t.Errorf("%s: weight %d", l, a.Servers()[1].Weight)
		}
	}
}

func TestTenThousandServers(t *testing.T) {
	list := fleet(10_000, 1)
	r := mustNew(t, Ketama, list...)
	if n := len(r.Points()); n != 1_600_000 {
		t.Fatalf("%d points", n)
	}
	smaller, err := r.Remove(list[5000].Addr)
	if err != nil {
		t.Fatal(err)
	}
	back, err := smaller.Add(list[5000])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(back.Points(), r.Points()) {
		t.Fatal("remove and add do not restore the points")
	}
	for i := range 1000 {
		key := keyNumber("user:", i)
		home, view := mustPick(t, r, key), mustPick(t, smaller, key)
		if home != view && home != list[5000].Addr {
			t.Fatalf("%s moved from %s to %s", key, home, view)
		}
	}
}

func TestEditsRefuseWhatNewRefuses(t *testing.T) {
	r := mustNew(t, Ketama, fleet(2, 1)...)
	one, two := "10.0.0.1:11211", "10.0.0.2:11211"
	check := func(what string, err error, want ...error) {
		t.Helper()
		for _, w := range want {
			if !errors.Is(err, w) {
				t.Errorf("%s: %v does not wrap %v", what, err, w)
			}
		}
	}
	_, err := r.Add(Server{Addr: one})
	check("add a known name", err, ErrDuplicate)
	_, err = r.Add(Server{Name: "a b", Addr: "c d", Weight: -1})
	check("add nonsense", err, ErrBadName, ErrBadAddr, ErrBadWeight)
	_, err = r.Add(Server{Addr: "x", Weight: maxWeight})
	check("add too many points", err, ErrBadWeight)
	_, err = r.Remove("x")
	check("remove a stranger", err, ErrUnknownServer)
	_, err = r.Replace("x", Server{Addr: "y"})
	check("replace a stranger", err, ErrUnknownServer)
	_, err = r.Replace(one, Server{Name: two})
	check("replace by a known name", err, ErrDuplicate)
	_, err = r.Replace(one, Server{Addr: "a b", Weight: -1})
	check("replace by nonsense", err, ErrBadAddr, ErrBadWeight)
	_, err = r.Replace(one, Server{Weight: maxWeight})
	check("replace by too many points", err, ErrBadWeight)
	if r, err = r.Remove(one); err != nil {
		t.Fatal(err)
	}
	_, err = r.Remove(two)
	check("remove the last one", err, ErrNoServers)
	for _, l := range []Layout{ModCRC15, ModCRC32, Xmemcached} {
		list := make([]Server, 17)
		for i := range list {
			list[i] = Server{Addr: fmt.Sprintf("s%d", i), Weight: maxWeight}
		}
		_, err = New(l, list...)
		if l == ModCRC32 { // ignores weights
			if err != nil {
				t.Errorf("%s: %v", l, err)
			}
			continue
		}
		check(string(l), err, ErrBadWeight)
	}
}
