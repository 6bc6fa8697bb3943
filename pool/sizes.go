package pool

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// sizes remembers which keys held large values lately. The size of a value is not
// known before it arrives; the second get of a large value goes over the
// connection for large ones. A wrong guess costs time, never a wrong result, so a
// small table of fingerprints will do: a newer key replaces an older one.
type sizes struct {
	any   atomic.Bool // false: the table is empty, and nobody needs to look
	table [1024]atomic.Uint64
}

func (s *sizes) slot(hash uint64) *atomic.Uint64 { return &s.table[hash%uint64(len(s.table))] }

func (s *sizes) has(hash uint64) bool { return s.slot(hash).Load() == hash }

func (s *sizes) add(hash uint64) {
	s.slot(hash).Store(hash)
	if !s.any.Load() {
		s.any.Store(true)
	}
}

func (s *sizes) remove(hash uint64) { s.slot(hash).CompareAndSwap(hash, 0) }

// learnSize corrects the table after a reply with a value of n bytes on c.
func (g *group) learnSize(r *Request, n int) {
	if n == 0 || g.large == (n > g.p.cfg.LargeValue) || !r.Op.HasKey() || r.Op.Stores() {
		return
	}
	hash := maphash.String(g.p.seed, r.Key)
	if g.large {
		g.p.sizes.remove(hash)
	} else {
		g.p.sizes.add(hash)
	}
}

// learnHits does the same for the items of a multi-get.
func (g *group) learnHits(r *Request) {
	if g.large || r.Op != proto.OpGetMulti {
		return
	}
	for _, h := range r.Hits {
		if len(h.Value) > g.p.cfg.LargeValue {
			g.p.sizes.add(maphash.String(g.p.seed, r.Keys[h.Index]))
		}
	}
}
