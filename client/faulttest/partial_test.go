package faulttest

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/ring"
)

// disturb runs a load, disturbs for hold, heals, and wants at most one request in
// a hundred to fail and none to be stale.
func disturb(t *testing.T, e *env, rate int, hold time.Duration, fault, heal func()) {
	t.Helper()
	l := e.begin(rate)
	time.Sleep(warmUp)
	began := time.Now()
	fault()
	time.Sleep(time.Until(began.Add(hold)))
	heal()
	healed := time.Now()
	time.Sleep(3 * time.Second)
	l.end()
	during := l.between(began, healed)
	later := l.between(healed, time.Now())
	s := e.c.Snapshot()
	t.Logf("beside %v, %d ejections, %d readmissions, %d retries, %d hints", l.calmWorst(began, time.Now()).Round(time.Millisecond), s.Ejections, s.Readmissions, s.Retries, s.Hints)
	t.Logf("during: %v", during)
	t.Logf("after:  %v", later)
	during.wantFailed(t, during.ops/100)
	later.wantFailed(t, later.ops/100)
	if during.stale+later.stale > 0 {
		t.Errorf("%d stale reads during the fault, %d after", during.stale, later.stale)
	}
}

func TestFaultFlap(t *testing.T) {
	for _, rate := range []int{6, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 2, nil)
			flaps := func() {
				for range 3 {
					e.faults.drop(t, e.servers[0].Port())
					time.Sleep(3 * time.Second)
					e.faults.heal()
					time.Sleep(3 * time.Second)
				}
			}
			disturb(t, e, rate, 0, flaps, func() {})
		})
	}
}

func TestFaultPacketLoss(t *testing.T) {
	for _, rate := range []int{6, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 2, nil)
			disturb(t, e, rate, 10*time.Second, func() {
				e.faults.drop(t, e.servers[0].Port(), "-m", "statistic", "--mode", "random", "--probability", "0.3")
			}, e.faults.heal)
		})
	}
}

// TestFaultOnlyNewConnections drops the packets that open connections: those that
// are open work on, so nothing fails whatever becomes of the server.
func TestFaultOnlyNewConnections(t *testing.T) {
	for _, rate := range []int{6, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 2, nil)
			disturb(t, e, rate, 6*time.Second, func() { e.faults.drop(t, e.servers[0].Port(), "--syn") }, e.faults.heal)
		})
	}
}

func TestFaultSlowServer(t *testing.T) {
	for _, rate := range []int{6, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			var p *proxy
			e := newEnv(t, 2, func(cfg *client.Config) {
				p = newProxy(t, cfg.Servers[0].Addr)
				cfg.Servers[0].Addr = p.addr()
			})
			disturb(t, e, rate, 6*time.Second, func() { p.slow(300 * time.Millisecond) }, func() { p.slow(0) })
		})
	}
}

// TestFaultConnectionLimit lets others take all connections that the server
// allows: it answers on those that we have, and that is no reason to eject it.
func TestFaultConnectionLimit(t *testing.T) {
	for _, rate := range []int{6, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 2, nil, "-c", "40")
			var others []net.Conn
			disturb(t, e, rate, 6*time.Second, func() { others = hoard(t, e.servers[0].Addr, 60) }, func() {
				for _, c := range others {
					_ = c.Close()
				}
			})
			if n := e.c.Snapshot().Ejections; n != 0 {
				t.Errorf("%d ejections of a server that answers", n)
			}
		})
	}
}

func hoard(t *testing.T, addr string, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			continue // that is the limit
		}
		conns = append(conns, c)
	}
	return conns
}

// TestFaultRestart kills the server and starts it again at once, empty.
func TestFaultRestart(t *testing.T) {
	for _, rate := range []int{6, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 2, nil)
			l := e.begin(rate)
			time.Sleep(warmUp)
			began := time.Now()
			e.servers[0].Kill()
			e.servers[0].Restart()
			sent := e.status(0).Pool.Requests
			e.await("requests on the new process", 15*time.Second, func() bool { return e.status(0).Pool.Requests > sent })
			back := time.Since(began)
			time.Sleep(2 * time.Second)
			l.end()
			r := l.between(began, time.Now())
			t.Logf("beside %v, back after %v: %v", l.calmWorst(began, time.Now()).Round(time.Millisecond), back.Round(time.Millisecond), r)
			r.wantFailed(t, 0)
			if r.stale > 0 {
				t.Errorf("%d stale reads", r.stale)
			}
		})
	}
}

// TestFaultAllServersGone loses every server at once. Nobody can serve, but the
// error comes at once instead of after the budget, no keys move, and all is well
// as soon as they are back.
func TestFaultAllServersGone(t *testing.T) {
	for _, cutOff := range []bool{false, true} {
		t.Run(fmt.Sprintf("cutOff=%v", cutOff), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 3, nil)
			l := e.begin(100)
			time.Sleep(warmUp)
			for _, s := range e.servers {
				if cutOff {
					e.faults.drop(t, s.Port())
				} else {
					s.Stop()
				}
			}
			e.await("the fault known as our own", 15*time.Second, func() bool { return e.c.Snapshot().LocalFault })
			e.await("nobody asked", 15*time.Second, func() bool { return e.closed() })
			sent := e.requests()
			for i := range 100 {
				if _, err := e.c.Get(ctx, fmt.Sprint("key:", i)); !client.SafeToRetry(err) {
					t.Fatalf("get while all are gone: %v", err)
				}
			}
			if moved := e.c.Snapshot().Moved; moved != 0 || e.requests() != sent {
				t.Errorf("%.2f of the keys moved, %d requests sent", moved, e.requests()-sent)
			}
			healed := time.Now()
			e.faults.heal()
			if !cutOff {
				for _, s := range e.servers {
					s.Continue()
				}
			}
			e.await("all servers back", 15*time.Second, func() bool {
				for i := range e.servers {
					if e.status(i).State != heartbeat.Healthy || e.status(i).Mode != "serving" {
						return false
					}
				}
				return true
			})
			back := time.Now()
			time.Sleep(time.Second)
			l.end()
			later := l.between(back, time.Now())
			t.Logf("back after %v; then %v", back.Sub(healed).Round(time.Millisecond), later)
			later.wantFailed(t, 0)
			if r := l.between(healed, time.Now()); r.stale > 0 {
				t.Errorf("%d stale reads", r.stale)
			}
		})
	}
}

// closed reports whether no server serves.
func (e *env) closed() bool {
	for _, s := range e.c.Servers() {
		if s.Mode == "serving" {
			return false
		}
	}
	return true
}

func (e *env) requests() (n uint64) {
	for _, s := range e.c.Servers() {
		n += s.Pool.Requests
	}
	return n
}

// TestFaultTwoOfThreeServers loses two of three servers one second apart. The keys
// of the first move; those of the second would crush the survivor and fail fast.
func TestFaultTwoOfThreeServers(t *testing.T) {
	e := newEnv(t, 3, nil)
	l := e.begin(200)
	time.Sleep(warmUp)
	e.servers[0].Stop()
	time.Sleep(time.Second)
	e.servers[1].Stop()
	e.await("modes settled", 15*time.Second, func() bool { return e.status(0).Mode == "moved" && e.status(1).Mode == "down" })
	r, err := ring.New("", ring.Server{Name: "cache0", Weight: 2}, ring.Server{Name: "cache1"}, ring.Server{Name: "cache2"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		key := fmt.Sprint("some:", i)
		home, _ := r.Pick(key)
		err := e.c.Set(ctx, &client.Item{Key: key, Value: []byte("x")})
		if failed := err != nil; failed != (home.Name == "cache1") {
			t.Fatalf("set of a key of %s: %v", home.Name, err)
		}
	}
	e.servers[0].Continue()
	e.servers[1].Continue()
	e.await("all servers back", 15*time.Second, func() bool { return e.status(0).Mode == "serving" && e.status(1).Mode == "serving" })
	time.Sleep(time.Second)
	l.end()
	if all := l.between(time.Time{}, time.Now()); all.stale > 0 {
		t.Errorf("%d stale reads", all.stale)
	}
}

// TestFaultNoWayBackIn closes our connections and lets nobody open new ones, while
// the connection of the heartbeat lives on: the server answers, but not to us.
func TestFaultNoWayBackIn(t *testing.T) {
	for _, rate := range []int{20, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			var p *proxy
			e := newEnv(t, 2, func(cfg *client.Config) {
				p = newProxy(t, cfg.Servers[0].Addr)
				cfg.Servers[0].Addr = p.addr()
			})
			began := time.Now()
			disturb(t, e, rate, 6*time.Second, func() {
				began = time.Now()
				e.faults.drop(t, p.port(), "--syn")
				p.cutAllBut(1)
			}, e.faults.heal)
			if _, ok := e.entered("cache0", heartbeat.Ejected, began); !ok {
				t.Error("not ejected")
			}
		})
	}
}
