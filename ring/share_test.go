package ring

import (
	"math"
	"sync"
	"testing"
)

// TestShareFollowsWeight allows three standard deviations. A server with p of P
// random points holds a Beta(p, P-p) part of the circle.
func TestShareFollowsWeight(t *testing.T) {
	weights := []int{1, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000}
	servers := fleet(len(weights), 1)
	total := 0
	for i, w := range weights {
		servers[i].Weight = w
		total += w
	}
	r := mustNew(t, Ketama, servers...)
	for i, w := range weights {
		ideal := float64(w) / float64(total)
		sd := math.Sqrt(ideal * (1 - ideal) / float64(160*total+1))
		got := r.Share(servers[i].Addr)
		if math.Abs(got-ideal) > 3*sd {
			t.Errorf("weight %d: share %.6f, ideal %.6f, %.1f standard deviations away", w, got, ideal, (got-ideal)/sd)
		}
	}
}

func TestSharesOfALargeFleetAreEven(t *testing.T) {
	r := mustNew(t, Ketama, fleet(1000, 1)...)
	sd := 1 / math.Sqrt(160.0)
	far, most := 0, 0.0
	for _, s := range r.Servers() {
		share := r.Share(s.Name) * 1000
		most = max(most, share)
		if math.Abs(share-1) > 3*sd {
			far++
		}
	}
	if far > 10 || most > 1.4 {
		t.Errorf("%d of 1000 servers are 3 standard deviations away, the largest has %.2f times its share", far, most)
	}
}

func TestSharesAddUpAndMatchPicks(t *testing.T) {
	const keys = 20_000
	for _, l := range Layouts() {
		if l == Twemproxy || l == ModCRC15 {
			continue // their key hashes are not even: fnv1a_64 clusters, 15 bits are few
		}
		full := mustNew(t, l, fleet(7, 3)...)
		for _, r := range []*Ring{full, full.Without("10.0.0.2:11211"), full.Without("10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.7:11211")} {
			picked := map[string]int{}
			for i := range keys {
				picked[mustPick(t, r, keyNumber("user:", i*7919))]++
			}
			sum := 0.0
			for _, s := range full.Servers() {
				share := r.Share(s.Name)
				sum += share
				sd := math.Sqrt(share * (1 - share) / keys)
				if got := float64(picked[s.Name]) / keys; math.Abs(got-share) > 4*sd+1e-9 {
					t.Errorf("%s: %s has %.4f of the keys, share %.4f", l, s.Name, got, share)
				}
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("%s: shares add up to %v", l, sum)
			}
		}
		if full.Share("unknown") != 0 || full.Without("10.0.0.2:11211").Share("10.0.0.2:11211") != 0 {
			t.Errorf("%s: a server that is not there has a share", l)
		}
	}
}

func TestOneLonelyPointHasTheWholeShare(t *testing.T) {
	r := mustNew(t, Dalli, Server{Addr: "a", Weight: 13}, Server{Addr: "b", Weight: 4096})
	r = r.Without("b:11211")
	if n := len(r.Points()); n != 1 || r.Share("a:11211") != 1 || mustPick(t, r, "key") != "a:11211" {
		t.Errorf("%d points, share %v", n, r.Share("a:11211"))
	}
}

func TestShareMayBeAskedConcurrently(t *testing.T) {
	r := mustNew(t, Ketama, fleet(50, 1)...)
	want := mustNew(t, Ketama, fleet(50, 1)...).Share("10.0.0.1:11211")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := r.Share("10.0.0.1:11211"); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	all.Wait()
}
