package pool

import (
	"context"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// Request is one request to one server and, after Do or Wait, its reply. The zero
// value is ready. A Request may be used again, also by another goroutine, as soon
// as Do or Wait has returned: the pool keeps nothing of one that timed out. It
// must not be copied once used.
type Request struct {
	proto.Request

	// Timeout is how long the server has to answer; 0 means Config.Timeout. The
	// context may shorten it.
	Timeout time.Duration
	// Alloc, if not nil, returns the n bytes for the value of a get, where the
	// caller wants them to lie with something else of his, or nil for any place. It
	// is called at most once, while the caller waits, mostly by another goroutine.
	Alloc func(n int) []byte

	// What follows belongs to the pool while the request is under way. The order of
	// the fields is by use: a get touches few lines of the processor's cache.
	expires int64         // on the pool's clock
	done    chan struct{} // receives when the request has ended, unless its caller leads
	lane    uint8         // of the connection used last
	turns   uint8         // how often a connection has been chosen
	mayLead bool          // its caller could read an idle connection himself
	leads   bool          // the caller reads the connection and needs no wake-up
	rides   bool          // its caller looks for the reply that his partner reads
	ended   bool          // for a caller that leads; guarded by the connection's mu
	err     error
	cancel  <-chan struct{} // ctx.Done()
	ctx     context.Context
	owed    *conn // where Push has left the writing to Flush
	led     *conn // which the caller reads, one of several; see DoAll

	// Reply is the server's answer where Do or Wait returned nil or a
	// *proto.ServerError; otherwise it says nothing. Reply.Value belongs to the
	// caller.
	Reply proto.Reply
	// Dst is where OpGetInto appends the value.
	Dst []byte
	// Hits are the items that OpGetMulti found, in the order of the keys. Their
	// values share memory.
	Hits []Hit
}

// Hit is one found key of a multi-get.
type Hit struct {
	Index int // place in Keys
	Value []byte
	Flags uint32
	CAS   uint64
}

// Reset makes r as new, but keeps its memory and Alloc. Hits, Dst and the
// values are let go.
func (r *Request) Reset() {
	hits, done, alloc, lane, turns := r.Hits, r.done, r.Alloc, r.lane, r.turns
	clear(hits)
	*r = Request{}
	r.Hits, r.done, r.Alloc, r.lane, r.turns = hits[:0], done, alloc, lane, turns
}
