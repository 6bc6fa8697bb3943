package ring

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"testing"
	"time"
)

// The machine's speed changes from second to second, so every claim here is a
// ratio of sides that take short turns within one run, and each side counts with
// its median turn. Times are reported for orientation only. Keys are 20 bytes
// long and more in number than a branch predictor remembers.
const (
	benchKeys = 1 << 16
	turnKeys  = 1 << 11 // lookups per turn
)

// side is one of the ways that a benchmark compares. turn does ops operations,
// which ones depends on i, and returns something that depends on them.
type side struct {
	name string
	ops  int
	turn func(i int) uint64
}

// compare lets the sides take turns, reports the time of an operation of each
// and how many times as long as the first the others take.
func compare(b *testing.B, sides ...side) {
	b.Helper()
	spent := make([][]float64, len(sides))
	var sum uint64
	for turn := 0; b.Loop(); turn++ {
		for k := range sides {
			at := (turn + k) % len(sides) // nobody always goes first
			begin := time.Now()
			sum += sides[at].turn(turn)
			spent[at] = append(spent[at], float64(time.Since(begin).Nanoseconds())/float64(sides[at].ops))
		}
	}
	runtime.KeepAlive(sum)
	b.ReportMetric(0, "ns/op") // a turn of everybody: says nothing
	for k, s := range sides {
		b.ReportMetric(median(spent[k]), "ns/"+s.name)
		if k > 0 {
			b.ReportMetric(median(spent[k])/median(spent[0]), s.name+"/"+sides[0].name)
		}
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

func benchmarkKeys() (keys []string, hashes []uint64) {
	for i := range benchKeys {
		key := fmt.Sprintf("user:%015d", uint64(i)*0x9e3779b97f4a7c15%1e15)
		keys = append(keys, key)
		hashes = append(hashes, HashKey(key))
	}
	return keys, hashes
}

// lookups is a side of which lookup is one operation.
func lookups(name string, lookup func(k int) uint64) side {
	return side{name, turnKeys, func(i int) (sum uint64) {
		start := i * turnKeys % benchKeys
		for k := start; k < start+turnKeys; k++ {
			sum += lookup(k)
		}
		return sum
	}}
}

// BenchmarkLookup compares the bucket index with a binary search over the very
// same points: of a hash that is known ("seek", "search"), and from the key to
// the server ("pick", "searchpick", and with md5 instead of xxh64 "md5pick").
func BenchmarkLookup(b *testing.B) {
	keys, hashes := benchmarkKeys()
	for _, n := range []int{10, 100, 1000} {
		r := mustNew(b, Ketama, fleet(n, 1)...)
		points := r.points[:len(r.points)-1]
		search := func(h uint64) int {
			at := sort.Search(len(points), func(i int) bool { return points[i].hash() >= h })
			if at == len(points) {
				return 0
			}
			return at
		}
		b.Run(fmt.Sprintf("hash/servers=%d", n), func(b *testing.B) {
			compare(b,
				lookups("seek", func(k int) uint64 { return uint64(r.points[r.seek(hashes[k])].owner) }),
				lookups("search", func(k int) uint64 { return uint64(points[search(hashes[k])].owner) }))
		})
		weight := func(at int) uint64 { return uint64(r.servers[points[at].owner].Weight) }
		b.Run(fmt.Sprintf("key/servers=%d", n), func(b *testing.B) {
			compare(b,
				lookups("pick", func(k int) uint64 {
					s, _ := r.Pick(keys[k])
					return uint64(s.Weight)
				}),
				lookups("searchpick", func(k int) uint64 { return weight(search(HashKey(keys[k]))) }),
				lookups("md5pick", func(k int) uint64 { return uint64(r.servers[r.points[r.seek(md5Hash(keys[k]))].owner].Weight) }))
		})
	}
}

func md5Hash(key string) uint64 {
	var room [250]byte
	digest := md5.Sum(append(room[:0], key...))
	return binary.LittleEndian.Uint64(digest[:])
}

// BenchmarkEdit compares the edits of a ring with building it anew. It holds as
// much memory as a small service does: beside an empty heap the collector runs
// at every other edit, and what it frees is given back and faulted in again.
func BenchmarkEdit(b *testing.B) {
	heap := make([]byte, 32<<20)
	defer runtime.KeepAlive(heap)
	for _, n := range []int{10, 100, 1000} {
		servers := fleet(n+1, 1)
		small, large := mustNew(b, Ketama, servers[:n]...), mustNew(b, Ketama, servers...)
		edits := func(name string, ops int, edit func(i int) (*Ring, error)) side {
			return side{name, ops, func(i int) (sum uint64) {
				for k := range ops {
					r, err := edit(i*ops + k)
					if err != nil {
						b.Fatal(err)
					}
					sum += uint64(len(r.points))
				}
				return sum
			}}
		}
		rebuild := edits("rebuild", 1, func(int) (*Ring, error) { return New(Ketama, servers...) })
		b.Run(fmt.Sprintf("add/servers=%d", n), func(b *testing.B) {
			compare(b, edits("add", 20, func(int) (*Ring, error) { return small.Add(servers[n]) }), rebuild)
		})
		b.Run(fmt.Sprintf("remove/servers=%d", n), func(b *testing.B) {
			compare(b, edits("remove", 20, func(i int) (*Ring, error) { return large.Remove(servers[i%n].Addr) }), rebuild)
		})
		b.Run(fmt.Sprintf("without/servers=%d", n), func(b *testing.B) {
			compare(b, edits("without", 20, func(i int) (*Ring, error) { return large.Without(servers[i%n].Addr), nil }), rebuild)
		})
	}
}

// BenchmarkMemory reports what a ring keeps on the heap per server.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("servers=%d", n), func(b *testing.B) {
			servers := fleet(n, 1)
			var bytes float64
			for b.Loop() {
				before := heapInUse()
				r := mustNew(b, Ketama, servers...)
				bytes = float64(heapInUse() - before)
				runtime.KeepAlive(r)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(bytes/float64(n), "B/server")
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
