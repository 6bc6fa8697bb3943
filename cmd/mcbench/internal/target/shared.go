package target

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/inspect"
	"github.com/ringbeat/ringbeat/ring"
)

// Shared is a small model of a client whose heartbeats run on one pool of threads for all
// servers and are thrown away when the pool is busy. It shows why such a client can take
// minutes to notice a black hole: the heartbeats of one lost server hold every thread for
// their whole timeout, and of the many connections each has to fail several times before
// the last one is given up. Times are a tenth of the usual ones, to fit a short run.
//
// The model is of the mechanism only. Requests themselves go through gomemcache; what the
// model adds is when a server is given up, and that its keys then go to the next server.
type Shared struct {
	*Gomemcache
	servers []*sharedServer
	onEvent func(at time.Time, server, what, state string)
	tasks   chan *sharedConn // the pool: a few slots, no queue
	stop    chan struct{}
	wg      sync.WaitGroup
}

// The model's settings: those of the incident's client, times divided by ten.
const (
	sharedConns     = 50                     // connections per server
	sharedThreads   = 2                      // heartbeat threads for all servers together
	sharedIdle      = 500 * time.Millisecond // a connection idle for so long gets a heartbeat
	sharedTimeout   = 200 * time.Millisecond // of a heartbeat
	sharedFailures  = 4                      // failed heartbeats in a row close a connection
	sharedReconnect = 200 * time.Millisecond // between attempts to reach a lost server
)

// sharedServer is one server with the model's connections.
type sharedServer struct {
	name, addr string
	used       atomic.Int64 // round robin over the connections
	conns      []*sharedConn
	down       atomic.Bool
}

// sharedConn stands for one connection: when it last carried an answer, and how many of
// its heartbeats failed in a row.
type sharedConn struct {
	server   *sharedServer
	lastGood atomic.Int64 // unix nanoseconds
	pending  atomic.Bool
	failures int // owned by the heartbeat that runs
	closed   atomic.Bool
}

// NewShared returns the model.
func NewShared(o Options) (*Shared, error) {
	s := &Shared{onEvent: o.OnEvent, tasks: make(chan *sharedConn), stop: make(chan struct{})}
	now := time.Now().UnixNano()
	var addrs []string
	for _, member := range o.Servers {
		v := &sharedServer{name: member.Name, addr: member.Addr}
		for range sharedConns {
			c := &sharedConn{server: v}
			c.lastGood.Store(now)
			v.conns = append(v.conns, c)
		}
		s.servers, addrs = append(s.servers, v), append(addrs, member.Addr)
	}
	full, err := ring.New(o.Layout, o.Servers...)
	if err != nil {
		return nil, err
	}
	s.Gomemcache = NewGomemcache(addrs, s.picker(full), max(o.Conns, sharedConns), o.Timeout)
	for range sharedThreads {
		s.wg.Go(s.heartbeats)
	}
	s.wg.Go(s.watchIdle)
	return s, nil
}

// picker returns the key's server or, while that one is given up, the next on the ring.
func (s *Shared) picker(full *ring.Ring) func(key string) int {
	index := map[string]int{}
	for i, v := range s.servers {
		index[v.name] = i
	}
	return func(key string) int {
		home := full.Index(key)
		if !s.servers[home].down.Load() {
			return home
		}
		for member := range full.Walk(key) {
			if i := index[member.Name]; !s.servers[i].down.Load() {
				return i
			}
		}
		return home
	}
}

// answered notes that one of a server's connections carried an answer: it is not idle.
func (s *Shared) answered(key string, err error) error {
	if err == nil || errors.Is(err, memcache.ErrCacheMiss) || errors.Is(err, memcache.ErrNotStored) {
		v := s.servers[s.Gomemcache.home(key)]
		c := v.conns[v.used.Add(1)%sharedConns]
		c.lastGood.Store(time.Now().UnixNano())
	}
	return err
}

// Get appends the key's value to dst.
func (s *Shared) Get(key string, dst []byte) ([]byte, error) {
	v, err := s.Gomemcache.Get(key, dst)
	return v, s.answered(key, err)
}

// Set stores a value.
func (s *Shared) Set(key string, value []byte, ttl int32) error {
	return s.answered(key, s.Gomemcache.Set(key, value, ttl))
}

// watchIdle hands idle connections to the pool. One that finds no free thread is dropped
// until the next round: that is the fault of the design.
func (s *Shared) watchIdle() {
	ticker := time.NewTicker(sharedIdle / 10)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		limit := time.Now().Add(-sharedIdle).UnixNano()
		for _, v := range s.servers {
			for _, c := range v.conns {
				if !c.closed.Load() && c.lastGood.Load() < limit && c.pending.CompareAndSwap(false, true) {
					s.offer(c)
				}
			}
		}
	}
}

func (s *Shared) offer(c *sharedConn) {
	select {
	case s.tasks <- c:
	default:
		c.pending.Store(false)
	}
}

// heartbeats is one thread of the pool.
func (s *Shared) heartbeats() {
	for {
		select {
		case <-s.stop:
			return
		case c := <-s.tasks:
			s.beat(c)
			c.pending.Store(false)
		}
	}
}

func (s *Shared) beat(c *sharedConn) {
	if _, err := inspect.Version(c.server.addr, sharedTimeout); err == nil {
		c.failures = 0
		c.lastGood.Store(time.Now().UnixNano())
		return
	}
	if c.failures++; c.failures < sharedFailures {
		return
	}
	c.closed.Store(true)
	for _, other := range c.server.conns {
		if !other.closed.Load() {
			return
		}
	}
	if c.server.down.CompareAndSwap(false, true) {
		s.onEvent(time.Now(), c.server.name, "ejected: the last of its connections was given up", "ejected")
		s.wg.Go(func() { s.reconnect(c.server) })
	}
}

// reconnect tries a lost server until it answers.
func (s *Shared) reconnect(v *sharedServer) {
	ticker := time.NewTicker(sharedReconnect)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		if _, err := inspect.Version(v.addr, sharedTimeout); err != nil {
			continue
		}
		now := time.Now()
		for _, c := range v.conns {
			c.lastGood.Store(now.UnixNano())
			c.failures = 0
			c.closed.Store(false)
		}
		v.down.Store(false)
		s.onEvent(now, v.name, "back: connected again", "up")
		return
	}
}

// Close ends the model.
func (s *Shared) Close() error {
	close(s.stop)
	s.wg.Wait()
	return s.Gomemcache.Close()
}
