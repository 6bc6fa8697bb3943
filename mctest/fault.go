package mctest

import "time"

// Hang makes the server stop working while its process lives on, like SIGSTOP:
// dials succeed, requests are taken in (1 MiB per connection), nothing is
// answered. After Heal all requests taken in are carried out, also those whose
// client has closed or reset the connection since: late writes land, as they do
// in a real memcached after SIGCONT. Over TLS nothing is read meanwhile.
func (s *Server) Hang() error { return s.become(held, accepting) }

// BlackHole makes the server vanish like a host behind a dropped route: requests
// on open connections stay unread in the kernel, new dials get no answer at all.
// Heal restores both at once, and what waited in the sockets is then answered,
// late writes included. Unlike with a dropped route, the kernel still acknowledges
// data while its buffers last.
//
// Dials get no answer because the backlog is kept full, so that SYNs are dropped.
// That works on Linux only; elsewhere dials connect and hear nothing. On a unix
// socket the first dial connects and hears nothing, the next ones fail at once.
func (s *Server) BlackHole() error { return s.become(stopped, full) }

// Refuse closes the listener: new dials are refused, open connections go on.
func (s *Server) Refuse() error { return s.become(flowing, refusing) }

// Kill ends the server like SIGKILL: all connections are reset, dials are
// refused. Restart, or Heal, starts a new incarnation. When Kill returns, no
// request is being carried out any more.
func (s *Server) Kill() error {
	s.control.Lock()
	defer s.control.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.stop()
	return nil
}

// Restart is Kill and a new start on the same address: an empty server with a
// new pid, uptime 0 and all counters at 0. Faults of replies stay as they are.
func (s *Server) Restart() error {
	s.control.Lock()
	defer s.control.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.stop()
	return s.arrive(flowing, accepting)
}

// Heal takes all faults back. A server that was killed comes back empty, as by
// Restart; otherwise everything that waited in its sockets is answered, and
// replies held back by Slow, Drip or StallMidReply leave at once.
func (s *Server) Heal() error {
	if err := s.become(flowing, accepting); err != nil {
		return err
	}
	s.control.Lock()
	defer s.control.Unlock()
	if f := s.faults.Swap(nil); f != nil {
		close(f.healed)
	}
	return nil
}

// become moves the server to flow f and reach r, from wherever it is.
func (s *Server) become(f flow, r reach) error {
	s.control.Lock()
	defer s.control.Unlock()
	if s.closed {
		return ErrClosed
	}
	return s.arrive(f, r)
}

// arrive is become with control held. Accepting ends before the gate moves and
// begins after it has moved: nobody is let in to a server that is not yet, or no
// longer, what it is to be. The gate does not wait for the backlog to be full.
func (s *Server) arrive(f flow, r reach) error {
	if s.isDown() {
		s.incarnate()
	}
	if s.listener != nil && r != accepting {
		s.listener.halt()
	}
	s.move(f, r)
	return s.listenAs(r)
}

func (s *Server) listenAs(r reach) error {
	if s.listener == nil {
		return nil
	}
	return s.listener.become(r)
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Slow delays each reply by d from the moment its request was read. Requests
// behind it are not held up: pipelined requests all get their replies after d.
func (s *Server) Slow(d time.Duration) { s.change(func(f *faults) { f.delay = max(d, 0) }) }

// Drip sends replies byte by byte with gap between two bytes.
func (s *Server) Drip(gap time.Duration) {
	s.change(func(f *faults) { f.drip, f.dripping = max(gap, 0), gap >= 0 })
}

// Split sends each reply in pieces, cut at random places, a moment apart.
func (s *Server) Split() { s.change(func(f *faults) { f.split = true }) }

// Reset answers every n-th request, counted over the whole server, with an RST
// instead of a reply: 1 means each one, 0 none. The request is carried out
// first. The same counting holds for the faults below.
func (s *Server) Reset(every int) { s.set(faultReset, every) }

// ResetDials resets every n-th new connection as soon as it is accepted.
func (s *Server) ResetDials(every int) { s.set(faultResetDial, every) }

// Garbage replaces every n-th reply by as many random bytes.
func (s *Server) Garbage(every int) { s.set(faultGarbage, every) }

// CloseMidReply closes the connection after one half of every n-th reply.
func (s *Server) CloseMidReply(every int) { s.set(faultCloseMid, every) }

// StallMidReply sends one half of every n-th reply and then, on that connection,
// nothing until Heal, which gives the other half.
func (s *Server) StallMidReply(every int) { s.set(faultStallMid, every) }

// Swallow leaves out every n-th reply, so that all later ones on that connection
// answer the wrong request. A client must notice.
func (s *Server) Swallow(every int) { s.set(faultSwallow, every) }

// Repeat sends every n-th reply twice, to the same end as Swallow.
func (s *Server) Repeat(every int) { s.set(faultRepeat, every) }
