package pool

import (
	"slices"
	"sync/atomic"
)

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
}

// Stats returns a snapshot.
func (p *Pool) Stats() Stats {
	n := &p.counters
	s := Stats{
		Timeouts: n.timeouts.Load(), Lost: n.lost.Load(), Mismatches: n.mismatches.Load(),
		Dials: n.dials.Load(), DialFailures: n.dialFailures.Load(),
	}
	for _, g := range p.groups() {
		g.addTo(&s)
	}
	return s
}

// addTo adds the group's part. Under mu a connection is in use, ending or retired,
// and never in between: the counters do not step back.
func (g *group) addTo(s *Stats) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Waiting += len(g.queue)
	s.Requests += g.retired.Requests
	s.Replies += g.retired.Replies
	s.Reads += g.retired.Reads
	s.Writes += g.retired.Writes
	for i := range g.conns {
		if c := g.conns[i].Load(); c != nil {
			s.Conns++
			s.InFlight += int(c.inFlight.Load())
			c.addTo(s)
		}
	}
	for _, c := range g.ending {
		c.addTo(s)
	}
}

// addTo adds what went over the connection.
func (c *conn) addTo(s *Stats) {
	c.mu.Lock()
	s.Requests += c.pushed
	c.mu.Unlock()
	s.Replies += c.served.Load()
	s.Reads += c.reads.Load()
	s.Writes += c.writes.Load()
}

// retire keeps the counters of a connection that has ended.
func (g *group) retire(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.addTo(&g.retired)
	g.ending = slices.DeleteFunc(g.ending, func(e *conn) bool { return e == c })
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
