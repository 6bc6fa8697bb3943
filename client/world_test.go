package client_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/mctest"
	"github.com/ringbeat/ringbeat/ring"
)

// world is a client with in-process servers in a bubble of fake time.
type world struct {
	t       *testing.T
	c       *client.Client
	servers []*mctest.Server
	r       *ring.Ring
	events  []client.Event // read them after synctest.Wait
}

// inWorld runs f in a world of n servers named cache0, cache1, ...
func inWorld(t *testing.T, n int, cfg client.Config, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t}
		for i := range n {
			w.servers = append(w.servers, mctest.Start(t, mctest.Config{NoListen: true}))
			cfg.Servers = append(cfg.Servers, ring.Server{Name: fmt.Sprint("cache", i), Addr: fmt.Sprintf("cache%d:1", i)})
		}
		cfg.Dial = w.dial
		cfg.OnEvent = func(ev client.Event) { w.events = append(w.events, ev) }
		w.c = newClient(t, cfg)
		r, err := ring.New(cfg.Layout, cfg.Servers...)
		must(t, err)
		w.r = r
		synctest.Wait()
		f(w)
	})
}

// dial reaches cacheN:1.
func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var n int
	if _, err := fmt.Sscanf(addr, "cache%d:1", &n); err != nil || n >= len(w.servers) {
		return nil, fmt.Errorf("no such server: %s", addr)
	}
	return w.servers[n].Dial(ctx, network, addr)
}

// more adds a server that is no member yet.
func (w *world) more() ring.Server {
	n := len(w.servers)
	w.servers = append(w.servers, mctest.Start(w.t, mctest.Config{NoListen: true}))
	return ring.Server{Name: fmt.Sprint("cache", n), Addr: fmt.Sprintf("cache%d:1", n)}
}

// keys returns n keys whose home is the named server.
func (w *world) keys(server string, n int) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprint("key:", i)
		if home, _ := w.r.Pick(key); home.Name == server {
			keys = append(keys, key)
		}
	}
	return keys
}

func (w *world) status(server string) client.ServerStatus {
	w.t.Helper()
	list := w.c.Servers()
	i := slices.IndexFunc(list, func(s client.ServerStatus) bool { return s.Name == server })
	if i < 0 {
		w.t.Fatalf("no member %q", server)
	}
	return list[i]
}

// takes runs f and checks how long it took.
func (w *world) takes(least, most time.Duration, f func()) {
	w.t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took < least || took > most {
		w.t.Errorf("took %v, want %v to %v", took, least, most)
	}
}

func (w *world) set(key, value string) {
	w.t.Helper()
	must(w.t, w.c.Set(ctx, &client.Item{Key: key, Value: []byte(value)}))
}

// awaitMode lets time pass until the server's keys are served in the given way.
func (w *world) awaitMode(server, mode string, within time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(within); w.status(server).Mode != mode; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s is %s, not %s within %v", server, w.status(server).Mode, mode, within)
		}
	}
}

// requests returns how many requests a server got that came from users.
func (w *world) requests(i int) (n uint64) {
	for word, count := range w.servers[i].Stats().Commands {
		if !strings.Contains("mn version stats auth", word) {
			n += count
		}
	}
	return n
}
