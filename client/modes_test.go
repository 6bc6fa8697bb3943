package client_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/ring"
)

func TestFailFastMovesNothingAndCostsNothing(t *testing.T) {
	inWorld(t, 3, client.Config{OnEject: client.FailFast}, func(w *world) {
		lost, fine := w.keys("cache0", 3), w.keys("cache1", 3)
		for _, key := range append(lost, fine...) {
			w.set(key, "x")
		}
		must(t, w.servers[0].BlackHole())
		w.awaitMode("cache0", "down", 3*time.Second)
		before := w.requests(0) + w.requests(1) + w.requests(2)
		w.takes(0, 0, func() {
			for _, key := range lost {
				_, err := w.c.Get(ctx, key)
				var failed *client.OpError
				if !errors.Is(err, client.ErrServerDown) || !errors.As(err, &failed) || failed.Sent || failed.Server != "cache0" || !client.SafeToRetry(err) {
					t.Errorf("get: %#v", err)
				}
				wantErr(t, w.c.Set(ctx, &client.Item{Key: key}), client.ErrServerDown)
				wantErr(t, w.c.Delete(ctx, key), client.ErrServerDown)
			}
			wantErr(t, w.c.Ping(ctx), client.ErrServerDown)
		})
		if after := w.requests(0) + w.requests(1) + w.requests(2); after != before+0 {
			t.Errorf("%d requests were sent", after-before)
		}
		found, err := w.c.GetMulti(ctx, append(lost, fine...))
		wantErr(t, err, client.ErrServerDown)
		if len(found) != len(fine) {
			t.Errorf("%d items, want %d", len(found), len(fine))
		}
		must(t, w.servers[0].Heal())
		w.awaitMode("cache0", "serving", 5*time.Second)
		_, err = w.c.Get(ctx, lost[0])
		must(t, err)
	})
}

func TestSingleServerFailsInTimeAndThenAtOnce(t *testing.T) {
	inWorld(t, 1, client.Config{}, func(w *world) {
		w.set("key", "x")
		must(t, w.servers[0].BlackHole())
		w.takes(attempt, 2*attempt+slack, func() {
			if _, err := w.c.Get(ctx, "key"); err == nil || errors.Is(err, client.ErrCacheMiss) {
				t.Errorf("get: %v", err)
			}
		})
		w.awaitMode("cache0", "down", 3*time.Second)
		w.takes(0, 0, func() {
			_, err := w.c.Get(ctx, "key")
			wantErr(t, err, client.ErrServerDown)
		})
		must(t, w.servers[0].Heal())
		w.awaitMode("cache0", "serving", 4*time.Second)
		it, err := w.c.Get(ctx, "key")
		must(t, err)
		if string(it.Value) != "x" {
			t.Errorf("read %q", it.Value)
		}
	})
}

func TestCapOnMovedServers(t *testing.T) {
	inWorld(t, 6, client.Config{MaxMoved: 2}, func(w *world) {
		for i := range 4 {
			must(t, w.servers[i].Kill())
			time.Sleep(3 * time.Second)
		}
		for i, want := range []string{"moved", "moved", "down", "down", "serving", "serving"} {
			name := fmt.Sprint("cache", i)
			if got := w.status(name).Mode; got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
			err := w.c.Set(ctx, &client.Item{Key: w.keys(name, 1)[0]})
			if (want == "down") != errors.Is(err, client.ErrServerDown) {
				t.Errorf("set of a key of %s: %v", name, err)
			}
		}
	})
}

func TestRampBringsKeysBackStepByStep(t *testing.T) {
	const ramp = 10 * time.Second
	inWorld(t, 3, client.Config{Ramp: ramp}, func(w *world) {
		keys := w.keys("cache0", 400)
		must(t, w.c.Drain("cache0"))
		w.awaitMode("cache0", "moved", time.Second)
		must(t, w.c.Resume("cache0"))
		w.awaitMode("cache0", "returning", time.Second)
		home := func() (n int) {
			before := w.requests(0)
			_, err := w.c.GetMulti(ctx, keys)
			must(t, err)
			for _, key := range keys {
				if _, err := w.c.Get(ctx, key); !errors.Is(err, client.ErrCacheMiss) {
					t.Fatal(err)
				}
			}
			return int(w.requests(0) - before)
		}
		last := 0
		for _, step := range []struct{ least, most int }{{20, 65}, {100, 160}, {170, 245}, {260, 330}} {
			n := home()
			if n < step.least || n > step.most || n < last {
				t.Errorf("%d of 400 keys at home, want %d to %d", n, step.least, step.most)
			}
			last = n
			time.Sleep(ramp / 4)
		}
		w.awaitMode("cache0", "serving", time.Second)
		if n := home(); n < 400 {
			t.Errorf("%d of 400 keys at home after the ramp", n)
		}
	})
}

func TestOperatorTakesOutAndLetsBackIn(t *testing.T) {
	inWorld(t, 3, client.Config{}, func(w *world) {
		key := w.keys("cache1", 1)[0]
		for _, order := range []func(string) error{w.c.Drain, w.c.ForceEject} {
			w.set(key, "x")
			must(t, order("cache1"))
			w.awaitMode("cache1", "moved", time.Second)
			if !w.status("cache1").Pinned {
				t.Error("not pinned")
			}
			time.Sleep(time.Minute) // it answers, and stays out
			before := w.requests(1)
			w.set(key, "elsewhere")
			if w.requests(1) != before || w.status("cache1").Mode != "moved" {
				t.Error("a server that was taken out serves")
			}
			must(t, w.c.Resume("cache1"))
			w.awaitMode("cache1", "serving", time.Second)
			_, err := w.c.Get(ctx, key)
			wantErr(t, err, client.ErrCacheMiss)
		}
		for _, order := range []func(string) error{w.c.Drain, w.c.ForceEject, w.c.Resume} {
			wantErr(t, order("nobody"), ring.ErrUnknownServer)
		}
	})
}

func TestForceEjectLetsRequestsMoveOnAtOnce(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		w.set(key, "x")
		must(t, w.servers[0].Hang())
		time.AfterFunc(20*time.Millisecond, func() { _ = w.c.ForceEject("cache0") })
		w.takes(20*time.Millisecond, 21*time.Millisecond, func() {
			_, err := w.c.Get(ctx, key)
			wantErr(t, err, client.ErrCacheMiss)
		})
	})
}

func TestOneLineAndOneEventForEachTransition(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	inWorld(t, 2, client.Config{Logger: zap.New(core)}, func(w *world) {
		w.set("secret:key", "secret value")
		must(t, w.servers[0].BlackHole())
		w.awaitMode("cache0", "moved", 3*time.Second)
		must(t, w.servers[0].Heal())
		w.awaitMode("cache0", "serving", 4*time.Second)
		synctest.Wait()
		var states []heartbeat.State
		for _, ev := range w.events {
			if ev.Kind != client.Transition || ev.Server != "cache0" || ev.Reason == "" {
				t.Errorf("%+v", ev)
			}
			states = append(states, ev.From, ev.To)
		}
		const h, s, e, p = heartbeat.Healthy, heartbeat.Suspect, heartbeat.Ejected, heartbeat.Probation
		if want := []heartbeat.State{h, s, s, e, e, p, p, h}; fmt.Sprint(states) != fmt.Sprint(want) {
			t.Errorf("states %v, want %v", states, want)
		}
		if logs.Len() != len(w.events) {
			t.Errorf("%d lines for %d events", logs.Len(), len(w.events))
		}
		for _, entry := range logs.All() {
			if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "secret") {
				t.Errorf("logged: %s", text)
			}
		}
		if s := w.c.Snapshot(); s.Ejections != 1 || s.Readmissions != 1 || s.Moved != 0 || s.Epoch == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestSlowEventCallbackDelaysNothing(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c, _ := overRealWith(t, 2, client.Config{Heartbeat: quick, OnEvent: func(client.Event) { <-release }})
	must(t, c.Drain("cache0"))
	await(t, "drained", func() bool { return c.Servers()[0].Mode == "moved" })
	must(t, c.Resume("cache0"))
	await(t, "resumed", func() bool { return c.Servers()[0].Mode == "serving" })
}

// A server that speaks HTTP is a clear error and soon out of the way.
func TestServerThatIsNoMemcached(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	defer web.Close()
	_, servers := overReal(t, 1)
	c := newClient(t, client.Config{Heartbeat: quick, Servers: []ring.Server{
		{Name: "web", Addr: web.Listener.Addr().(*net.TCPAddr).String()}, {Name: "cache", Addr: servers[0].Addr},
	}})
	await(t, "web ejected", func() bool { return c.Servers()[0].Mode == "moved" })
	if err := c.Servers()[0].LastErr; err == nil || !strings.Contains(err.Error(), "HTTP") {
		t.Errorf("last error %v", err)
	}
	for i := range 50 {
		must(t, c.Set(ctx, &client.Item{Key: fmt.Sprint(i), Value: []byte("x")}))
	}
	alone := newClient(t, client.Config{Heartbeat: quick, Servers: []ring.Server{{Name: "web", Addr: web.Listener.Addr().String()}}})
	if _, err := alone.Get(ctx, "key"); err == nil || errors.Is(err, client.ErrCacheMiss) {
		t.Errorf("get from a web server: %v", err)
	}
}

// A server that refuses further connections serves on those that are open.
func TestRefusedConnectionIsNoEvidenceWhileOthersServe(t *testing.T) {
	inWorld(t, 2, client.Config{}, func(w *world) {
		keys := w.keys("cache0", 200)
		w.set(keys[0], "x")
		must(t, w.servers[0].Refuse())
		for range 100 { // many at once, so that a second connection is wanted
			must(t, w.c.DeleteMulti(ctx, keys))
			time.Sleep(100 * time.Millisecond)
		}
		st := w.status("cache0")
		if st.State != heartbeat.Healthy || st.Pool.DialFailures == 0 || w.c.Snapshot().Ejections != 0 {
			t.Errorf("%v, %d refused, %d ejections", st.State, st.Pool.DialFailures, w.c.Snapshot().Ejections)
		}
	})
}
