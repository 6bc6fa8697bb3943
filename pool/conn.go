package pool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// conn is one pipelined connection. Requests stand in a queue in the order in which
// their bytes were appended to the write buffer; replies come in that order.
//
// Two roles move between goroutines, each held by at most one:
//
//   - The writer takes what has gathered in the write buffer and sends it. A caller
//     who appends while nobody writes becomes the writer for what has gathered by
//     then, so one system call carries many callers' requests.
//   - The reader parses replies and ends requests; nobody else ends a request that
//     has a reply. On an idle connection it is the caller himself (he leads), which
//     saves two goroutine switches. As soon as others wait too, it is the
//     connection's own goroutine, serve.
//
// A caller waits as the reader only of the one connection that he needs, and only for
// his own request: otherwise one who waits for a dark server could hold up the replies
// of another. Several connections he may glance at in turn; see DoAll.
//
// The walkthroughs of the races between caller, reader and watchdog are in
// docs/adr/0001-one-connection-kind.md.
type conn struct {
	id      uint64
	lane    uint8 // its place in g.conns, plus one
	g       *group
	wire    wire
	dialect proto.Dialect
	sendFn  func() error // writeBatches, bound once: no closure for each request

	inFlight atomic.Int32  // len of the queue; written under mu
	reads    atomic.Uint64 // system calls, or Read calls on a netWire
	writes   atomic.Uint64
	served   atomic.Uint64 // replies
	backlog  atomic.Bool   // the reader has complete replies that it has not handed over
	crowd    atomic.Bool   // requests come in numbers: the last batch had shareFrom
	pair     atomic.Bool   // two callers at most have used the group for a while, or one; see pair.go

	wake    chan struct{} // gives serve the reader role; cap 1
	writers sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	err     error      // why the connection is closed; nothing is pushed after it is set
	reader  readerRole
	writing bool // somebody holds the writer role
	wbuf    []byte
	line    int    // where in wbuf a shared line of gets is open, or -1
	spare   []byte // the other write buffer, while nobody writes from it
	head    *slot  // the queue
	tail    *slot
	sent    *slot // the last one that the writer has taken, if it is still in the queue
	free    *slot
	opaque  uint32
	pushed  uint64 // slots ever pushed
	taken   uint64 // of these, how many the writer has taken
	seen    uint64 // pushed, at the watchdog's last look
	few     int    // batches answered while the group had two requests at most, less what was in vain
	pause   int    // batches that the last wait cost, where others keep the processors
	lone    int    // replies in a row, or pairs of them, after which nobody else waited
	rested  bool   // idle for a tick, and serve knows
	shrink  bool   // the reader should give its grown buffer back

	grace int // the watchdog's own: ticks for which it has blamed ourselves

	// The reader's own.
	rbuf  []byte
	roff  int // rbuf[roff:rend] is unparsed; roff is 0 when a read begins
	rend  int
	begun outcome // a reply whose rest is still to come
	skip  *slot   // whose value comes next: those before it, on its line, have missed
	batch []outcome
	hits  []Hit    // of the multi-gets in batch, and of the one that is not complete
	kept  int      // how many of hits do not lie in rbuf
	last  *Request // has its reply and is yet to be woken
	both  bool     // the last batch had the replies of two

	// The own of that goroutine of serve whose turn it is.
	serves   bool  // it took the writer role with the last batch
	twin     bool  // there are two of them
	ended    bool  // the connection is at its end
	passedAt int64 // when the last pass was

	hurry int64 // the writer's own: until then it does not wait for others to append
}

type readerRole uint8

const (
	readerNone   readerRole = iota // nobody reads; the queue is empty
	readerCaller                   // the caller of the first request does
	readerServe                    // the connection's goroutine does
)

// slot is one request's place in the queue. It fits a line of the processor's cache.
type slot struct {
	next    *slot
	req     *Request // nil once the caller has gone
	overdue int64    // when a missing reply condemns the connection
	expect  proto.Expect
}

const (
	readBufSize   = 16 << 10
	maxReadBuf    = 128 << 10 // for many small replies; one large reply may grow it further
	writeBufSize  = 4 << 10
	keepWriteBuf  = 64 << 10
	slotChunk     = 16
	writerBatches = 4 // how many batches a caller writes before it hands the role on
	loneReplies   = 4 // how many lone replies make serve give up the reader role
	maxYields     = 4
	maxWriteBuf   = 16 << 20
	hurryTime     = 100 * time.Millisecond
	// Gets share lines while batches have shareFrom requests. memcached answers up to
	// 20 commands with one system call anyway; few keys in a line only cost it more.
	shareFrom = 12
	// maxLine bounds a shared line, in bytes: a server that finds no line end in the
	// first 2 KiB looks closer.
	maxLine = 2 << 10
)

func newConn(g *group, w wire, id uint64, d proto.Dialect) *conn {
	c := &conn{
		id: id, g: g, wire: w, dialect: d,
		wake: make(chan struct{}, 1),
		rbuf: make([]byte, readBufSize), line: -1,
		wbuf: make([]byte, 0, writeBufSize), spare: make([]byte, 0, writeBufSize),
	}
	c.sendFn = c.writeBatches
	return c
}

// pushResult is what push made of a request.
type pushResult uint8

const (
	notPushed   pushResult = iota // full or closed
	pushed                        // under way, and somebody else sends it
	pushedWrite                   // under way; the caller must write
	pushedLead                    // under way; the caller must write and read
	pushedRead                    // under way, somebody else sends it; the caller must read
)

// push puts r into the queue and its bytes into the write buffer.
func (c *conn) push(r *Request, mayLead bool) pushResult {
	c.mu.Lock()
	if c.err != nil || int(c.inFlight.Load()) >= c.g.maxInFlight || len(c.wbuf) > maxWriteBuf {
		c.mu.Unlock()
		return notPushed
	}
	idle := c.head == nil
	r.mayLead = mayLead
	c.enqueue(r)
	result := pushed
	switch {
	case c.reader != readerNone:
	case idle && mayLead:
		c.reader = readerCaller
		r.leads = true
		result = pushedLead
	default:
		c.reader = readerServe
		c.wake <- struct{}{}
	}
	r.rides = mayLead && result == pushed && c.pair.Load()
	switch {
	case c.writing && result == pushedLead:
		result = pushedRead // a writer on its way out will take our bytes along
	case !c.writing && result == pushed:
		result = pushedWrite
	}
	c.writing = true
	c.mu.Unlock()
	return result
}

// enqueue puts r into the queue and the write buffer.
func (c *conn) enqueue(r *Request) {
	shares := c.crowd.Load() && c.dialect == proto.Meta && proto.CanShare(&r.Request)
	if c.line >= 0 && (!shares || len(c.wbuf)-c.line+len(r.Key) > maxLine-len(" \r\n")) {
		c.closeLine()
	}
	s := c.slotFor(r)
	if shares {
		s.expect.ExpectShared(&r.Request)
		if c.line < 0 {
			c.line = len(c.wbuf)
			c.wbuf = proto.OpenLine(c.wbuf)
		}
		c.wbuf = proto.AppendToLine(c.wbuf, &r.Request)
	} else {
		s.expect.ExpectFor(c.dialect, &r.Request, c.opaque)
		c.wbuf = proto.Append(c.wbuf, c.dialect, &r.Request, c.opaque)
	}
	c.opaque += uint32(s.expect.N)
}

// closeLine ends the shared line. Its last request is the last of the queue: nobody
// has answered what has not been sent.
func (c *conn) closeLine() {
	c.wbuf = proto.CloseLine(c.wbuf)
	c.line = -1
	c.tail.expect.Last = true
}

// slotFor puts r into the queue.
func (c *conn) slotFor(r *Request) *slot {
	s := c.free
	if s == nil {
		s = c.moreSlots()
	}
	c.free = s.next
	s.next = nil
	s.req = r
	now := c.g.p.now.Load()
	s.overdue = now + max(int64(r.Timeout), int64(c.g.p.cfg.Timeout)) + int64(tick)
	if c.tail == nil {
		c.head = s
	} else {
		c.tail.next = s
	}
	c.tail = s
	c.pushed++
	c.rested = false
	c.inFlight.Add(1)
	return s
}

func (c *conn) moreSlots() *slot {
	chunk := make([]slot, slotChunk)
	for i := range chunk[:slotChunk-1] {
		chunk[i].next = &chunk[i+1]
	}
	return &chunk[0]
}

// pop takes the head out of the queue and returns the request whose caller still
// waits, if any. The caller holds mu and corrects inFlight.
func (c *conn) pop() *Request {
	s := c.head
	c.head = s.next
	if c.head == nil {
		c.tail = nil
	}
	r := s.req
	s.req = nil
	s.expect.Release()
	s.next = c.free
	c.free = s
	return r
}

// unsent returns how many requests the writer has not taken yet. They are the last
// of the queue. The caller holds mu.
func (c *conn) unsent() int { return int(c.pushed - c.taken) }

// write is the writer's turn of a caller whose push returned pushedWrite.
func (c *conn) write() {
	if c.inFlight.Load() > 1 {
		c.gather(0)
	}
	if err := c.writeBatches(); err != nil {
		c.fail(err)
	}
}

// gather lets those who are about to send add their requests to the same system
// call: as long as more of them come, or until enough are under way. Where others
// keep the processors for long, a yield costs more than it can win, and gather does
// not yield for a while.
func (c *conn) gather(enough int32) {
	clock := &c.g.p.now
	start := clock.Load()
	if start < c.hurry {
		return
	}
	for range maxYields {
		before := c.inFlight.Load()
		runtime.Gosched()
		if n := c.inFlight.Load(); n == before || n >= enough {
			break
		}
	}
	if now := clock.Load(); now-start > int64(2*tick) {
		c.hurry = now + int64(hurryTime)
	}
}

// writeBatches writes until nothing is left, and hands the role to a goroutine of
// its own after some batches or when the socket is full: no caller waits for
// others' bytes.
func (c *conn) writeBatches() error {
	for range writerBatches {
		out := c.takeBatch()
		if out == nil {
			return nil
		}
		c.writes.Add(1)
		written, err := c.wire.write(out, c.inFlight.Load() == 1)
		if err == errAgain {
			c.writeElsewhere(out, written)
			return nil
		}
		if err != nil {
			return lost(err)
		}
		c.returnBuf(out)
	}
	c.writeElsewhere(nil, 0)
	return nil
}

// takeBatch takes what has gathered, or gives the writer role up and returns nil.
func (c *conn) takeBatch() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.wbuf) == 0 || c.err != nil {
		c.writing = false
		return nil
	}
	if c.line >= 0 {
		c.closeLine()
	}
	out := c.wbuf
	c.wbuf, c.spare = c.spare[:0], nil
	if crowd := c.unsent() >= c.g.p.shareFrom; crowd != c.crowd.Load() {
		c.crowd.Store(crowd)
	}
	c.taken, c.sent = c.pushed, c.tail
	return out
}

func (c *conn) returnBuf(b []byte) {
	if cap(b) > keepWriteBuf {
		b = make([]byte, 0, writeBufSize)
	}
	c.mu.Lock()
	c.spare = b[:0]
	c.mu.Unlock()
}

// writeElsewhere goes on as the writer in a goroutine of its own, beginning with
// what is left of out.
func (c *conn) writeElsewhere(out []byte, written int) {
	c.mu.Lock()
	dead := c.err != nil
	if !dead {
		c.writers.Add(1) // serve waits for it, after err is set
	}
	c.mu.Unlock()
	if dead {
		return
	}
	go func() {
		defer c.writers.Done()
		for {
			if out != nil {
				c.writes.Add(1)
				if err := c.wire.writeAll(out[written:]); err != nil {
					c.fail(lost(err))
					return
				}
				c.returnBuf(out)
			}
			if out, written = c.takeBatch(), 0; out == nil {
				return
			}
		}
	}()
}
