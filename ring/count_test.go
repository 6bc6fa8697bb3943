package ring

import (
	"slices"
	"testing"
)

// TestEqualFleetsLoseALabelToRounding pins the fleet sizes at which each rule
// gives everybody 39 labels and not 40. One step rounded otherwise, by a fused
// multiplication say, changes the list.
func TestEqualFleetsLoseALabelToRounding(t *testing.T) {
	tests := map[string]struct {
		rule  func([]Server) []int
		want  int   // how many sizes up to 1,000
		first []int // the first of them
	}{
		"float32": {shareFloat32, 103, []int{25, 47, 50, 55, 61, 71, 94, 100, 107, 109, 110}},
		"mixed":   {shareMixed, 11, []int{61, 122, 237, 244, 474}},
		"float64": {shareFloat64, 73, []int{7, 14, 28, 49, 56, 98, 103, 112}},
		"integer": {shareInteger, 0, nil},
		"dalli":   {func(s []Server) []int { return perFour(shareDalli(s)) }, 0, nil},
	}
	all := fleet(1000, 1)
	for name, test := range tests {
		var lost []int
		for n := 1; n <= len(all); n++ {
			labels := test.rule(all[:n])
			switch labels[0] {
			case 40:
			case 39:
				lost = append(lost, n)
			default:
				t.Fatalf("%s: %d labels in a fleet of %d", name, labels[0], n)
			}
		}
		if len(lost) != test.want || !slices.Equal(lost[:len(test.first)], test.first) {
			t.Errorf("%s: %d sizes lose a label: %v", name, len(lost), lost)
		}
	}
}

// perFour turns Dalli's points into labels of four.
func perFour(points []int) []int {
	for i := range points {
		points[i] /= 4
	}
	return points
}

func TestAbsoluteCountsIgnoreTheOtherServers(t *testing.T) {
	small, large := fleet(3, 3), fleet(90, 3)
	for _, l := range []Layout{Ketama, Xmemcached, Nginx} {
		a, b := mustNew(t, l, small...), mustNew(t, l, large...)
		for _, s := range small {
			if got, want := pointsOf(b, s.Addr), pointsOf(a, s.Addr); !slices.Equal(got, want) || len(got) != 160*s.Weight {
				t.Errorf("%s: %s has %d points alone and %d in a large fleet", l, s.Addr, len(want), len(got))
			}
		}
	}
}

func pointsOf(r *Ring, name string) []uint64 {
	var hashes []uint64
	for _, p := range r.Points() {
		if p.Server == name {
			hashes = append(hashes, p.Hash)
		}
	}
	return hashes
}

// TestSmallShareMayMeanNoPoint follows the originals: a server that weighs next
// to nothing among heavy ones serves no key.
func TestSmallShareMayMeanNoPoint(t *testing.T) {
	r := mustNew(t, Libmemcached, Server{Addr: "a"}, Server{Addr: "b", Weight: 4096})
	if n := len(pointsOf(r, "a:11211")); n != 0 {
		t.Errorf("got %d points", n)
	}
	if r.Share("a:11211") != 0 || r.Share("b:11211") != 1 {
		t.Errorf("shares %v and %v", r.Share("a:11211"), r.Share("b:11211"))
	}
	if _, ok := r.Without("b:11211").Pick("key"); ok {
		t.Error("a server without points serves a key")
	}
	walked := 0
	for range r.Walk("key") {
		walked++
	}
	if walked != 1 {
		t.Errorf("walk met %d servers", walked)
	}
}

// TestOneHeavyServerChangesTheRule: spymemcached has a locator for weights,
// libmemcached turns its flag for weights on by itself.
func TestOneHeavyServerChangesTheRule(t *testing.T) {
	light, heavy := fleet(25, 1), fleet(25, 1)
	heavy[7].Weight = 2
	if a, b := mustNew(t, Spymemcached, light...), mustNew(t, SpymemcachedWeighted, light...); len(a.Points()) != 25*160 || len(b.Points()) != 25*156 {
		t.Errorf("equal weights: %d and %d points", len(a.Points()), len(b.Points()))
	}
	same(t, mustNew(t, Spymemcached, heavy...), mustNew(t, SpymemcachedWeighted, heavy...))
	same(t, mustNew(t, LibmemcachedConsistent, heavy...), mustNew(t, Libmemcached, heavy...))
	if n := len(mustNew(t, LibmemcachedConsistent, light...).Points()); n != 2500 {
		t.Errorf("libmemcached-consistent: %d points", n)
	}
}
