package heartbeat

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The simulation: servers whose whole life is known beforehand, and a process
// that is paused now and then. It runs in a synctest bubble. A connection costs
// no goroutine, so that ten thousand lives pass in a minute.

// condition is how a server fares for a while.
type condition int

const (
	up        condition = iota
	dark                // a black hole
	hung                // the kernel accepts, requests are answered when it is over
	gone                // killed: connections reset, dials refused
	slow                // answers after 300 ms to 700 ms
	sluggish            // answers after 50 ms to 200 ms: well enough
	drip                // a byte of the reply every 40 ms
	garbage             // answers something else
	halfReply           // and then hangs up
	full                // at its connection limit
	numConditions
)

var conditionNames = [...]string{"up", "dark", "hung", "gone", "slow", "sluggish", "drip", "garbage", "half", "full"}

// sick reports whether a server in this condition ought to be ejected.
func (c condition) sick() bool { return c != up && c != sluggish && c != full }

// span is a stretch of time in one condition.
type span struct {
	from, to  time.Duration // since the beginning
	condition condition
	delay     time.Duration // of replies
}

// life is a server's; the spans follow each other without a gap.
type life []span

func (l life) at(d time.Duration) span {
	for _, s := range l {
		if d < s.to {
			return s
		}
	}
	return l[len(l)-1]
}

// any reports whether the server is in such a condition at some time between.
func (l life) any(from, to time.Duration, such func(condition) bool) bool {
	for _, s := range l {
		if s.from < to && from < s.to && such(s.condition) {
			return true
		}
	}
	return false
}

// nextDeath returns when the server is killed next, at d or after.
func (l life) nextDeath(d time.Duration) time.Duration {
	for _, s := range l {
		if s.condition == gone && d < s.to {
			return max(d, s.from)
		}
	}
	return 1<<62 - 1
}

func (l life) String() string {
	var b strings.Builder
	for _, s := range l {
		fmt.Fprintf(&b, "%v %s, ", s.from, conditionNames[s.condition])
	}
	return b.String()
}

// pauses are the times when our own process does not run.
type pauses []span

// running returns the first moment from d on at which it does.
func (p pauses) running(d time.Duration) time.Duration {
	for _, s := range p {
		if s.from <= d && d < s.to {
			return s.to
		}
	}
	return d
}

// overlap reports whether a pause touches the time between.
func (p pauses) overlap(from, to time.Duration) bool {
	for _, s := range p {
		if s.from < to && from < s.to {
			return true
		}
	}
	return false
}

// simServer is one server of the simulation, and the network to it.
type simServer struct {
	begin  time.Time
	life   life
	pauses pauses
	rtt    time.Duration

	mu         sync.Mutex // guards the fields below
	flying     int        // dials and reads under way
	mostFlying int
	open       int // connections
	mostOpen   int
	replies    int // whole ones
}

func (s *simServer) now() time.Duration { return time.Since(s.begin) }

// sleepUntil returns at d, or when the process runs again.
func (s *simServer) sleepUntil(d time.Duration) {
	time.Sleep(d - s.now())
	if r := s.pauses.running(s.now()); r > s.now() {
		time.Sleep(r - s.now())
	}
}

// fly counts what is under way.
func (s *simServer) fly(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying += n
	s.mostFlying = max(s.mostFlying, s.flying)
}

func (s *simServer) dial(ctx context.Context) (net.Conn, error) {
	s.fly(1)
	defer s.fly(-1)
	deadline, _ := ctx.Deadline()
	end := deadline.Sub(s.begin)
	switch now := s.now(); s.life.at(now).condition {
	case gone:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case dark, full:
		<-ctx.Done()
		s.sleepUntil(s.now())
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}
	s.sleepUntil(s.now() + s.rtt)
	if now := s.now(); now >= end {
		// The witness would have seen this pause; it does not take part in
		// the simulation's.
		time.Sleep(end + 21*ms - now)
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.mostOpen = max(s.mostOpen, s.open)
	return &simConn{s: s, dies: s.life.nextDeath(s.now()), wake: make(chan struct{}, 1)}, nil
}

// simConn is a connection of the simulation.
type simConn struct {
	s    *simServer
	dies time.Duration // when the server is killed
	wake chan struct{} // the deadline has changed or the connection is closed

	mu       sync.Mutex // guards the fields below
	deadline time.Duration
	closed   bool
	reply    string
	at       time.Duration // of the next byte of reply
	every    time.Duration // between bytes; 0 means all at once
	hangup   bool          // after the reply
}

func (c *simConn) Write(b []byte) (int, error) {
	c.s.sleepUntil(c.s.now())
	now := c.s.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case now >= c.deadline:
		return 0, &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}
	case now >= c.dies:
		return 0, syscall.EPIPE
	}
	const never = 1<<62 - 1
	sp := c.s.life.at(now)
	c.reply, c.at, c.every, c.hangup = "VERSION 1.6.18\r\n", now+c.s.rtt, 0, false
	if string(b) == "stats\r\n" {
		c.reply = "STAT pid 1\r\nSTAT curr_items 1\r\nEND\r\n"
	}
	switch sp.condition {
	case dark:
		c.at = never
	case hung:
		c.at = sp.to
	case slow, sluggish:
		c.at = now + sp.delay
	case drip:
		c.every = 40 * ms
	case garbage:
		c.reply, c.hangup = "\x01\x02 no memcached\r\n", true
	case halfReply:
		c.reply, c.hangup = c.reply[:5], true
	}
	return len(b), nil
}

func (c *simConn) Read(b []byte) (int, error) {
	c.s.fly(1)
	defer c.s.fly(-1)
	for {
		c.mu.Lock()
		ready := min(c.at, c.dies)
		due := min(ready, c.deadline)
		closed := c.closed
		c.mu.Unlock()
		if closed {
			return 0, net.ErrClosed
		}
		if wait := due - c.s.now(); wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-c.wake:
				timer.Stop()
				continue
			}
			c.s.sleepUntil(c.s.now())
		}
		return c.take(b)
	}
}

// take ends a Read. The deadline goes first, as the worst the runtime may do.
func (c *simConn) take(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch now := c.s.now(); {
	case c.closed:
		return 0, net.ErrClosed
	case now >= c.deadline:
		return 0, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	case now >= c.dies:
		return 0, syscall.ECONNRESET
	}
	n := len(c.reply)
	switch {
	case n == 0 && c.hangup:
		return 0, io.EOF
	case c.every > 0:
		n = 1
		c.at += c.every
	case c.hangup:
		c.at++
	default:
		c.at = 1<<62 - 1
	}
	n = copy(b, c.reply[:n])
	c.reply = c.reply[n:]
	if c.reply == "" && !c.hangup {
		c.s.replied()
	}
	return n, nil
}

func (s *simServer) replied() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies++
}

func (c *simConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t.Sub(c.s.begin)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

func (c *simConn) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if first {
		c.s.mu.Lock()
		c.s.open--
		c.s.mu.Unlock()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

func (c *simConn) SetReadDeadline(t time.Time) error { return c.SetDeadline(t) }
func (*simConn) SetWriteDeadline(time.Time) error    { return nil }
func (*simConn) LocalAddr() net.Addr                 { return nil }
func (*simConn) RemoteAddr() net.Addr                { return nil }
