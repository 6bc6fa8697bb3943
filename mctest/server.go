package mctest

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// ErrClosed is what a closed Server returns.
var ErrClosed = errors.New("mctest: server closed")

// TB is the part of testing.TB that Start uses.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Server is a memcached in this process. All methods may be called from any
// goroutine; fault switches wait for each other.
type Server struct {
	cfg      Config
	commands map[string]command // those that the imitated version knows
	gate     atomic.Pointer[gate]
	faults   atomic.Pointer[faults] // nil: replies are left alone
	cluster  atomic.Pointer[string]

	// control makes the fault switches wait for each other. Unlike mu it is held
	// while they talk to the kernel; no connection ever takes it.
	control  sync.Mutex
	listener *listener // nil with NoListen
	closed   bool

	mu     sync.Mutex // guards the fields below
	st     *store     // memory of this incarnation
	pid    int
	down   bool // killed or closed: no connection may begin
	conns  map[*conn]struct{}
	served int // conns without those that are turned away

	running sync.WaitGroup // the connections
}

// Start runs a server that stops when the test ends. It takes at most one
// Config.
func Start(t TB, cfg ...Config) *Server {
	t.Helper()
	if len(cfg) > 1 {
		t.Fatalf("mctest.Start takes one Config, not %d", len(cfg))
	}
	cfg = append(cfg, Config{})
	s, err := New(cfg[0])
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// New starts a server; Close stops it.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, commands: knownCommands(dialectOf(cfg.Version)), conns: make(map[*conn]struct{})}
	s.gate.Store(&gate{moved: make(chan struct{})})
	s.incarnate()
	if cfg.NoListen {
		return s, nil
	}
	l, err := listen(cfg.Addr, s.accepted)
	if err != nil {
		return nil, err
	}
	s.listener = l
	return s, nil
}

// incarnate begins a new life: empty memory, new pid, uptime 0.
func (s *Server) incarnate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.pid
	for s.pid == old {
		s.pid = 300 + rand.IntN(4_000_000)
	}
	s.st = newStore(s.cfg)
	s.down = false
}

// Addr is where the server listens: "host:port", or "unix:/path". It never
// changes, not even over Kill and Restart. It is "" with NoListen.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.addr
}

// Serve serves nc in a goroutine of the server's and returns at once. The server
// closes nc when the conversation ends, when it is killed, or when it closes.
func (s *Server) Serve(nc net.Conn) { s.begin(nc, nil) }

// Dial connects to the server through memory, whatever network and addr are. It
// meets the faults as a real dial does: refused after Refuse and Kill, and in a
// black hole it waits until ctx ends or the server heals. It fits where a
// dial function is configured.
func (s *Server) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	for {
		g := s.gate.Load()
		switch g.reach {
		case accepting:
			ours, theirs := net.Pipe()
			s.begin(ours, nil)
			return theirs, nil
		case refusing:
			return fail(syscall.ECONNREFUSED)
		}
		select {
		case <-g.moved:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fail(os.ErrDeadlineExceeded)
			}
			return fail(ctx.Err())
		}
	}
}

// accepted takes a connection from the listener.
func (s *Server) accepted(nc net.Conn) { s.begin(nc, s.cfg.TLS) }

// begin serves nc in a goroutine, unless it must not.
func (s *Server) begin(nc net.Conn, overTLS *tls.Config) {
	c := s.admit(nc, overTLS)
	if c == nil {
		_ = nc.Close()
		return
	}
	go func() {
		defer s.leave(c)
		defer c.end()
		switch f := s.faults.Load(); {
		case c.turnedAway:
			_, _ = c.nc.Write([]byte("ERROR Too many open connections\r\n"))
		case f != nil && f.strikes(faultResetDial):
			c.reset()
		default:
			c.run()
		}
	}()
}

// admit registers a connection; nil means there is no server.
func (s *Server) admit(nc net.Conn, overTLS *tls.Config) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil
	}
	c := newConn(s, s.st, nc, overTLS)
	c.turnedAway = s.cfg.MaxConns > 0 && s.served >= s.cfg.MaxConns
	s.conns[c] = struct{}{}
	s.running.Add(1)
	s.st.mu.Lock()
	defer s.st.mu.Unlock()
	if c.turnedAway {
		s.st.n.rejectedConns++
	} else {
		s.served++
		s.st.n.totalConns++
	}
	return c
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if !c.turnedAway {
		s.served--
	}
	s.running.Done()
}

// Value returns what the server holds under key, without traffic and without
// leaving a trace in the counters or the LRU.
func (s *Server) Value(key string) (value string, ok bool) {
	st := s.store()
	st.mu.Lock()
	defer st.mu.Unlock()
	it := st.items[key]
	now := st.clock.now()
	if it == nil || st.flushed(it, now) || it.expired(now) {
		return "", false
	}
	return string(it.value), true
}

// FlushAll empties the server at once, without a trace.
func (s *Server) FlushAll() {
	st := s.store()
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.lru.newer != &st.lru {
		st.unlink(st.lru.newer)
	}
}

func (s *Server) store() *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st
}

// Close stops the server and resets its connections. When it returns, all
// goroutines of the server have ended. Closing again does nothing.
func (s *Server) Close() {
	s.control.Lock()
	defer s.control.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.stop()
	if s.listener != nil {
		s.listener.remove()
	}
}

// stop ends listening and all connections; control is held.
func (s *Server) stop() {
	if s.listener != nil {
		s.listener.close()
	}
	s.move(stopped, refusing)
	s.mu.Lock()
	s.down = true
	for c := range s.conns {
		c.reset()
	}
	s.mu.Unlock()
	s.running.Wait()
}
