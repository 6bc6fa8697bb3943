package ring

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// crowded is the default scheme with so few different hashes that nearly every
// point collides with points of other servers.
func crowded(t testing.TB, different uint64) scheme {
	t.Helper()
	sc, err := Ketama.scheme()
	if err != nil {
		t.Fatal(err)
	}
	plain := sc.points
	sc.points = func(dst []uint64, name string, n int) []uint64 {
		start := len(dst)
		dst = plain(dst, name, n)
		for i, hash := range dst[start:] {
			dst[start+i] = hash % different * (math.MaxUint64 / different)
		}
		return dst
	}
	return sc
}

func TestCollisionsGiveOneRingInEveryOrder(t *testing.T) {
	for _, different := range []uint64{2, 5, 100} {
		sc := crowded(t, different)
		servers := mustNew(t, Ketama, fleet(5, 2)...).Servers()
		want, err := build(sc, slices.Clone(servers))
		if err != nil {
			t.Fatal(err)
		}
		orders := 0
		permute(servers, func(order []Server) {
			orders++
			built, err := build(sc, slices.Clone(order))
			if err != nil {
				t.Fatal(err)
			}
			same(t, built, want)
			grown, err := build(sc, slices.Clone(order[:1]))
			for _, s := range order[1:] {
				if err == nil {
					grown, err = grown.Add(s)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, grown, want)
		})
		if orders != 120 {
			t.Fatalf("%d orders of 5 servers", orders)
		}
	}
}

// permute calls visit with every order of list.
func permute(list []Server, visit func([]Server)) {
	var fix func(n int)
	fix = func(n int) {
		if n == len(list) {
			visit(list)
			return
		}
		for i := n; i < len(list); i++ {
			list[n], list[i] = list[i], list[n]
			fix(n + 1)
			list[n], list[i] = list[i], list[n]
		}
	}
	fix(0)
}

func TestTieRules(t *testing.T) {
	servers := []Server{{Name: "b"}, {Name: "c"}, {Name: "a"}}
	tests := []struct {
		rule   tieRule
		unique bool
		hash   uint64
		want   string
	}{
		{tieName, false, 7, "abc"},
		{tieFirst, false, 7, "bca"},
		{tieFirst, true, 7, "b"},
		{tieLast, false, 7, "acb"},
		{tieLast, true, 7, "a"},
		{tieModulo, false, 6, "abc"},
		{tieModulo, false, 7, "bca"},
		{tieModulo, false, 8, "cab"},
	}
	for _, test := range tests {
		sc := scheme{tie: test.rule, unique: test.unique}
		points := []point{newPoint(sc.place(1), 1)}
		for owner := range servers {
			points = append(points, newPoint(sc.place(test.hash), uint32(owner)))
		}
		points = append(points, newPoint(sc.place(9), 0))
		got := ""
		settled := sc.settle(points, servers)
		for _, p := range settled[1 : len(settled)-1] {
			got += servers[p.owner].Name
		}
		if got != test.want {
			t.Errorf("rule %d, unique %t, hash %d: got %s, want %s", test.rule, test.unique, test.hash, got, test.want)
		}
		if settled[0].owner != 1 || settled[len(settled)-1].owner != 0 {
			t.Errorf("rule %d: neighbours moved", test.rule)
		}
	}
}

// TestMixedNamesTieAsJavaSortsThem: a bare address begins with a slash there,
// which sorts before every digit and letter.
func TestMixedNamesTieAsJavaSortsThem(t *testing.T) {
	servers := []Server{{Name: "0/10.0.0.2:11211"}, {Name: "10.0.0.1:11211"}}
	sc := scheme{tie: tieModulo}
	run := sc.settle([]point{newPoint(2<<32, 0), newPoint(2<<32, 1)}, servers)
	if run[0].owner != 1 {
		t.Error("0/... comes before /10...")
	}
}

func keyNumber(prefix string, i int) string {
	return fmt.Sprintf("%s%d", prefix, i)
}
