package pool

import "sync/atomic"

// Stats is a snapshot of a pool. Counters only grow.
type Stats struct {
	Conns    int // open connections
	InFlight int // requests sent or about to be, without a reply yet
	Waiting  int // requests without a connection

	Requests     uint64 // that were given to a connection
	Replies      uint64
	Timeouts     uint64 // requests that the server did not answer in time
	Lost         uint64 // connections that broke with requests under way
	Mismatches   uint64 // connections closed for a malformed or mismatched reply
	Dials        uint64
	DialFailures uint64
	Reads        uint64 // read system calls
	Writes       uint64 // write system calls
}

type counters struct {
	timeouts, lost, mismatches, dials, dialFailures atomic.Uint64
	requests, replies, reads, writes                atomic.Uint64 // of closed connections
}

// Stats returns a snapshot.
func (p *Pool) Stats() Stats {
	n := &p.counters
	s := Stats{
		Requests: n.requests.Load(), Replies: n.replies.Load(),
		Timeouts: n.timeouts.Load(), Lost: n.lost.Load(), Mismatches: n.mismatches.Load(),
		Dials: n.dials.Load(), DialFailures: n.dialFailures.Load(),
		Reads: n.reads.Load(), Writes: n.writes.Load(),
	}
	for _, g := range p.groups() {
		s.Waiting += int(g.waiting.Load())
		for i := range g.conns {
			c := g.conns[i].Load()
			if c == nil {
				continue
			}
			s.Conns++
			s.InFlight += int(c.inFlight.Load())
			s.Requests += c.requests()
			s.Replies += c.served.Load()
			s.Reads += c.reads.Load()
			s.Writes += c.writes.Load()
		}
	}
	return s
}

func (c *conn) requests() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pushed
}

// retire adds a closed connection's counters to the pool's.
func (c *conn) retire() {
	n := &c.g.p.counters
	n.requests.Add(c.requests())
	n.replies.Add(c.served.Load())
	n.reads.Add(c.reads.Load())
	n.writes.Add(c.writes.Load())
}

// count counts a failure and tells of it.
func (p *Pool) count(f Failure) {
	switch f.Kind {
	case Timeout:
		p.counters.timeouts.Add(uint64(f.Count))
	case Lost:
		p.counters.lost.Add(1)
	case Garbled:
		p.counters.mismatches.Add(1)
	}
	p.tell(f)
}

func (p *Pool) tell(f Failure) {
	if p.cfg.OnFailure != nil {
		p.cfg.OnFailure(f)
	}
}
