package ring

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"unsafe"
)

// TestSeekEqualsBinarySearch asks for hashes on, just below and just above
// points and bucket borders, where an index errs first.
func TestSeekEqualsBinarySearch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 4, 5, 160, 1023, 1024, 1025} {
		for _, spread := range []uint64{math.MaxUint64, 1 << 40, 3} { // 3: everything in one bucket
			r := &Ring{}
			points := make([]point, n, n+1)
			for i := range points {
				points[i] = newPoint(rnd.Uint64N(spread), 0)
			}
			points[0] = newPoint(0, 0)
			sortPoints(points)
			if spread == math.MaxUint64 {
				points[n-1] = newPoint(math.MaxUint64, 0)
			}
			r.setPoints(points)
			for _, h := range hashesToTry(r, rnd) {
				want := sort.Search(n, func(i int) bool { return points[i].hash() >= h })
				if got := r.seek(h); got != want {
					t.Fatalf("%d points below %x: %x is at %d, want %d", n, spread, h, got, want)
				}
			}
		}
	}
}

func hashesToTry(r *Ring, rnd *rand.Rand) []uint64 {
	hashes := []uint64{0, math.MaxUint64}
	for _, p := range r.points {
		hashes = append(hashes, p.hash()-1, p.hash(), p.hash()+1)
	}
	for b := range r.index {
		border := uint64(b) << r.shift
		hashes = append(hashes, border-1, border, border+rnd.Uint64()>>(64-r.shift))
	}
	return hashes
}

func TestDalliSearchesDownwards(t *testing.T) {
	r := mustNew(t, Dalli, fleet(5, 1)...)
	points := r.Points()
	slices.SortFunc(points, func(a, b Point) int { return int(int64(a.Hash) - int64(b.Hash)) })
	for i, p := range points {
		for _, h := range []uint64{p.Hash, p.Hash + 1} {
			got := r.servers[r.points[r.seek(r.scheme.place(h))].owner].Name
			want := p.Server
			if next := points[(i+1)%len(points)]; next.Hash == h {
				want = next.Server
			}
			if got != want {
				t.Fatalf("hash %d: got %s, want %s", h, got, want)
			}
		}
	}
	below := r.servers[r.points[r.seek(r.scheme.place(points[0].Hash-1))].owner].Name
	if want := points[len(points)-1].Server; below != want {
		t.Errorf("below the first point: got %s, want the last one's %s", below, want)
	}
}

// TestMemoryPerServer bounds what a server of weight 1 costs: 160 points of 12
// bytes, one to two buckets of 4 bytes per point, and the server itself.
func TestMemoryPerServer(t *testing.T) {
	for _, n := range []int{1, 10, 100, 1000} {
		r := mustNew(t, Ketama, fleet(n, 1)...)
		bytes := cap(r.points)*int(unsafe.Sizeof(point{})) + cap(r.index)*4 + cap(r.servers)*int(unsafe.Sizeof(Server{}))
		if per := bytes / n; per > 160*(12+2*4)+100 {
			t.Errorf("%d servers: %d bytes each", n, per)
		}
	}
}
