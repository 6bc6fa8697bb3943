package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/mctest"
	"github.com/ringbeat/ringbeat/ring"
)

// cluster is many processes that share three servers and one truth. Each process
// is a client with a network of its own, which can be cut off from server 0.
type cluster struct {
	servers []*mctest.Server
	members []*member
	truth   []truth // by key
}

// member is one process: it reads and writes through the cache, and after a miss
// stores what the truth says.
type member struct {
	in  *cluster
	c   *client.Client
	g   *memcache.Client // for plain rehash: the same health and ring, but no repairs
	cut cut
}

// truth is the database's version of a key. Who holds the token may look: fake
// time goes on while others wait for it, which it would not do for a mutex.
type truth struct {
	token   chan struct{}
	version int
}

func (r *truth) lock()   { r.token <- struct{}{} }
func (r *truth) unlock() { <-r.token }

// cut is a network that can be taken away.
type cut struct {
	mu    sync.Mutex
	on    bool
	conns []net.Conn
}

// dial reaches server "cacheN:1", and server 0 only where it is not cut off.
func (m *member) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n := int(addr[len("cache")] - '0')
	if n != 0 {
		return m.in.servers[n].Dial(ctx, network, addr)
	}
	m.cut.mu.Lock()
	off := m.cut.on
	m.cut.mu.Unlock()
	if off {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
	}
	conn, err := m.in.servers[0].Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	m.cut.mu.Lock()
	defer m.cut.mu.Unlock()
	m.cut.conns = append(m.cut.conns, conn)
	return conn, nil
}

// set cuts the member off or joins it again. Connections break, as they do in the
// end: what a silent one does to late writes has tests of its own.
func (n *cut) set(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.on = on
	if on {
		for _, c := range n.conns {
			_ = c.Close()
		}
		n.conns = nil
	}
}

func newCluster(t *testing.T, members, keys int) *cluster {
	t.Helper()
	l := &cluster{truth: make([]truth, keys)}
	for i := range l.truth {
		l.truth[i].token = make(chan struct{}, 1)
	}
	var list []ring.Server
	for i := range 3 {
		l.servers = append(l.servers, mctest.Start(t, mctest.Config{NoListen: true}))
		list = append(list, ring.Server{Name: fmt.Sprint("cache", i), Addr: fmt.Sprintf("cache%d:1", i)})
	}
	for range members {
		m := &member{in: l}
		m.c = newClient(t, client.Config{Servers: list, Dial: m.dial})
		m.g = m.c.Gomemcache()
		t.Cleanup(func() { _ = m.g.Close() })
		l.members = append(l.members, m)
	}
	return l
}

// policy is how a member uses the cache.
type policy struct {
	get func(m *member, key string) ([]byte, error)
	set func(m *member, key string, value []byte) error
}

const ttl = 300 // seconds

var (
	ours = policy{
		get: func(m *member, key string) ([]byte, error) { return m.c.GetInto(ctx, key, nil) },
		set: func(m *member, key string, value []byte) error {
			return m.c.Set(ctx, &client.Item{Key: key, Value: value, Expiration: ttl})
		},
	}
	plainRehash = policy{
		get: func(m *member, key string) ([]byte, error) {
			it, err := m.g.Get(key)
			if err != nil {
				return nil, err
			}
			return it.Value, nil
		},
		set: func(m *member, key string, value []byte) error {
			return m.g.Set(&memcache.Item{Key: key, Value: value, Expiration: ttl})
		},
	}
)

// run lets every member work for the time given: 2 % writes. It returns how many
// reads hit, and how many of them were older than a write that had ended before.
func (l *cluster) run(p policy, length time.Duration) (hits, stale int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	end := time.Now().Add(length)
	for i, m := range l.members {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for time.Now().Before(end) {
				time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond)
				key := rng.IntN(len(l.truth))
				if rng.IntN(50) == 0 {
					l.write(p, m, key)
					continue
				}
				hit, old := l.read(p, m, key)
				mu.Lock()
				if hit {
					hits++
				}
				if old {
					stale++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return hits, stale
}

func (l *cluster) write(p policy, m *member, key int) {
	r := &l.truth[key]
	r.lock()
	defer r.unlock()
	r.version++
	_ = p.set(m, fmt.Sprint("k", key), []byte(strconv.Itoa(r.version)))
}

func (l *cluster) read(p policy, m *member, key int) (hit, stale bool) {
	r := &l.truth[key]
	r.lock()
	defer r.unlock()
	b, err := p.get(m, fmt.Sprint("k", key))
	switch {
	case err == nil:
		n, _ := strconv.Atoi(string(b))
		return true, n < r.version
	case errors.Is(err, client.ErrCacheMiss):
		_ = p.set(m, fmt.Sprint("k", key), []byte(strconv.Itoa(r.version)))
	}
	return false, false
}

// TestStaleReadsOfManyProcesses counts stale reads of 20 processes, with our
// policy and with what other clients do: move the keys, and nothing else.
func TestStaleReadsOfManyProcesses(t *testing.T) {
	scenarios := []struct {
		name   string
		faults func(*cluster)
		better int // times fewer stale reads than by plain rehash
	}{
		{"one of 20 cut off", func(l *cluster) { l.cutOff(1, 30*time.Second) }, 0},
		{"all cut off", func(l *cluster) { l.cutOff(20, 30*time.Second) }, 50},
		{"flapping 5 s/5 s", func(l *cluster) {
			for range 5 {
				l.cutOff(20, 5*time.Second)
				time.Sleep(5 * time.Second)
			}
		}, 20},
	}
	if testing.Short() {
		scenarios = scenarios[2:] // the hardest
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			rates := map[string]float64{}
			for name, p := range map[string]policy{"ringbeat": ours, "plain rehash": plainRehash} {
				hits, stale := staleReads(t, p, s.faults)
				rates[name] = float64(stale) / float64(hits)
				t.Logf("%-12s %d stale of %d hits, %.4f %%", name, stale, hits, 100*rates[name])
			}
			if rates["plain rehash"] == 0 {
				t.Error("the fault makes nothing stale")
			}
			if limit := rates["plain rehash"] / float64(max(s.better, 1)); rates["ringbeat"] > limit {
				t.Errorf("%.4f %% stale, want %.4f %% at most", 100*rates["ringbeat"], 100*limit)
			}
		})
	}
}

func staleReads(t *testing.T, p policy, faults func(*cluster)) (hits, stale int) {
	synctest.Test(t, func(t *testing.T) {
		l := newCluster(t, 20, 300)
		go func() {
			time.Sleep(10 * time.Second)
			faults(l)
		}()
		hits, stale = l.run(p, 100*time.Second)
	})
	return hits, stale
}

// cutOff cuts the first n members off from server 0 for a time.
func (l *cluster) cutOff(n int, length time.Duration) {
	for _, m := range l.members[:n] {
		m.cut.set(true)
	}
	time.Sleep(length)
	for _, m := range l.members[:n] {
		m.cut.set(false)
	}
}
