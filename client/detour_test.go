package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/heartbeat"
)

const (
	attempt = 100 * time.Millisecond
	slack   = 15 * time.Millisecond // of the pool's clock, which ticks
)

// asleep is a heartbeat that says nothing for the first hour.
var asleep = client.Config{Heartbeat: heartbeat.Config{Timeout: time.Hour}}

func wantTimeout(t *testing.T, err error) {
	t.Helper()
	var failed *client.OpError
	if !errors.As(err, &failed) || !failed.Timeout() {
		t.Fatalf("error %v, want a timeout", err)
	}
}

func TestRequestMovesOnWhenHomeHangs(t *testing.T) {
	inWorld(t, 3, asleep, func(w *world) {
		keys := w.keys("cache0", 4)
		w.set(keys[0], "x")
		must(t, w.servers[0].Hang())
		w.takes(attempt, attempt+slack, func() { w.set(keys[1], "moved") })
		w.takes(0, attempt/2+slack, func() { w.set(keys[2], "half the patience with a server in doubt") })
		w.takes(0, 0, func() {
			it, err := w.c.Get(ctx, keys[1])
			must(t, err)
			if string(it.Value) != "moved" {
				t.Errorf("read %q", it.Value)
			}
		})
		must(t, w.servers[0].Heal())
		w.takes(0, 0, func() { w.set(keys[3], "x") })
	})
}

func TestHintWaitsForTheLateWrite(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		w.set(key, "x")
		must(t, w.servers[0].Hang())
		short, cancel := context.WithTimeout(ctx, 40*time.Millisecond)
		defer cancel()
		must(t, w.c.Set(short, &client.Item{Key: key, Value: []byte("late")}))
		must(t, w.servers[0].Heal())
		deletes := func() uint64 { n := w.servers[0].Stats(); return n.DeleteHits + n.DeleteMisses }
		time.Sleep(250 * time.Millisecond) // every connection is answered or closed by then
		if n := deletes(); n != 0 {
			t.Errorf("%d deletes sent while the write may still be under way", n)
		}
		time.Sleep(200 * time.Millisecond)
		if n := deletes(); n != 1 || w.status("cache0").Hints != 0 {
			t.Errorf("%d deletes sent, %d hints left", n, w.status("cache0").Hints)
		}
	})
}

func TestWhatCountsTwiceDoesNotMoveOn(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		it := &client.Item{Key: key, Value: []byte("2"), CasID: 1}
		operations := map[string]func() error{
			"incr":    func() error { _, err := w.c.Increment(ctx, key, 1); return err },
			"decr":    func() error { _, err := w.c.Decrement(ctx, key, 1); return err },
			"add":     func() error { return w.c.Add(ctx, it) },
			"replace": func() error { return w.c.Replace(ctx, it) },
			"append":  func() error { return w.c.Append(ctx, it) },
			"prepend": func() error { return w.c.Prepend(ctx, it) },
			"cas":     func() error { return w.c.CompareAndSwap(ctx, it) },
		}
		for name, operation := range operations {
			w.set(key, "1") // there is a connection now
			must(t, w.servers[0].Hang())
			err := operation()
			var failed *client.OpError
			if !errors.As(err, &failed) || failed.Op != name || failed.Server != "cache0" || failed.Key != key ||
				!failed.Sent || !failed.Timeout() || client.SafeToRetry(err) {
				t.Errorf("%s: %#v", name, err)
			}
			must(t, w.servers[0].Heal())
			time.Sleep(time.Second) // the hint is carried out, the key is at home again
		}
		if n := w.requests(1); n != 0 {
			t.Errorf("the stand-in got %d requests", n)
		}
	})
}

func TestNothingSentMayAlwaysMoveOn(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		must(t, w.servers[0].Refuse())
		must(t, w.c.Add(ctx, &client.Item{Key: key, Value: []byte("41")}))
		n, err := w.c.Increment(ctx, key, 1)
		must(t, err)
		if n != 42 {
			t.Errorf("incremented to %d", n)
		}
	})
}

func TestCallEndsInTimeWhateverHangs(t *testing.T) {
	inWorld(t, 4, asleep, func(w *world) {
		keys := append(w.keys("cache0", 5), w.keys("cache1", 5)...)
		for _, s := range w.servers {
			must(t, s.BlackHole())
		}
		const timeout = 200 * time.Millisecond
		for range 3 {
			w.takes(0, timeout+slack, func() {
				_, err := w.c.Get(ctx, keys[0])
				wantTimeout(t, err)
				if errors.Is(err, client.ErrCacheMiss) {
					t.Error("an outage looks like a miss")
				}
			})
			w.takes(0, timeout+slack, func() {
				if _, err := w.c.GetMulti(ctx, keys); err == nil {
					t.Error("no error")
				}
			})
			w.takes(0, timeout+slack, func() {
				if err := w.c.DeleteMulti(ctx, keys); err == nil {
					t.Error("no error")
				}
			})
			short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
			w.takes(0, 30*time.Millisecond+slack, func() {
				if _, err := w.c.Get(short, keys[1]); err == nil {
					t.Error("no error")
				}
			})
			cancel()
		}
	})
}

func TestCallerInAHurryReachesTheStandInToo(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		w.set(key, "x")
		must(t, w.servers[0].Hang())
		short, cancel := context.WithTimeout(ctx, 60*time.Millisecond)
		defer cancel()
		_, err := w.c.Get(short, key)
		wantErr(t, err, client.ErrCacheMiss) // the stand-in says so
	})
}

func TestCancelledCallIsNoEvidence(t *testing.T) {
	inWorld(t, 2, client.Config{}, func(w *world) {
		key := w.keys("cache0", 1)[0]
		w.set(key, "x")
		w.servers[0].Slow(50 * time.Millisecond)
		for range 50 {
			short, cancel := context.WithCancel(ctx)
			time.AfterFunc(5*time.Millisecond, cancel)
			_, err := w.c.Get(short, key)
			wantErr(t, err, context.Canceled)
		}
		if st := w.status("cache0"); st.State != heartbeat.Healthy || st.Health.Prompted != 0 || st.Hints != 0 {
			t.Errorf("%v, %d probes asked for, %d hints", st.State, st.Health.Prompted, st.Hints)
		}
	})
}

func TestRetryBudgetBoundsTheDetours(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		w.set(key, "x")
		must(t, w.servers[0].Hang())
		w.c.EmptyBudget()
		_, err := w.c.Get(ctx, key)
		wantTimeout(t, err)
		_, err = w.c.GetMulti(ctx, []string{key})
		wantTimeout(t, err)
		if n := w.c.Snapshot(); n.OverBudget != 2 || n.Retries != 0 {
			t.Errorf("%d over budget, %d retries", n.OverBudget, n.Retries)
		}
	})
}

func TestLostConnectionIsTriedAgainAtHome(t *testing.T) {
	for name, read := range map[string]func(*world, string) (found bool, err error){
		"get": func(w *world, key string) (bool, error) { it, err := w.c.Get(ctx, key); return it != nil, err },
		"multi-get": func(w *world, key string) (bool, error) {
			found, err := w.c.GetMulti(ctx, []string{key})
			return found[key] != nil, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, asleep, func(w *world) {
				key := w.keys("cache0", 1)[0]
				w.set(key, "x")
				w.servers[0].Reset(7)
				for i := 0; i < 10 && w.c.Snapshot().Retries == 0; i++ {
					found, err := read(w, key)
					must(t, err)
					if !found {
						t.Error("not found")
					}
				}
				if n := w.requests(1); n != 0 {
					t.Errorf("the stand-in got %d requests", n)
				}
				if n := w.c.Snapshot().Retries; n == 0 {
					t.Error("nothing was reset")
				}
			})
		})
	}
}

func TestMultiGetAsksStandInsForFailedKeysOnly(t *testing.T) {
	inWorld(t, 3, asleep, func(w *world) {
		lost, fine := w.keys("cache0", 10), w.keys("cache1", 10)
		for _, key := range append(lost, fine...) {
			w.set(key, "x")
		}
		must(t, w.servers[0].Hang())
		w.takes(attempt, attempt+slack, func() {
			found, err := w.c.GetMulti(ctx, append(lost, fine...))
			must(t, err)
			if len(found) != len(fine) {
				t.Errorf("%d items, want %d", len(found), len(fine))
			}
		})
	})
}

func TestMultiGetReturnsWhatArrivedAndOneErrorPerServer(t *testing.T) {
	cfg := asleep
	cfg.OnEject = client.FailFast
	inWorld(t, 3, cfg, func(w *world) {
		lost, fine := append(w.keys("cache0", 10), w.keys("cache2", 10)...), w.keys("cache1", 10)
		for _, key := range append(lost, fine...) {
			w.set(key, "x")
		}
		must(t, w.servers[0].Hang())
		must(t, w.servers[2].Hang())
		found, err := w.c.GetMulti(ctx, append(lost, fine...))
		if len(found) != len(fine) {
			t.Errorf("%d items, want %d", len(found), len(fine))
		}
		failed, _ := err.(interface{ Unwrap() []error })
		if failed == nil || len(failed.Unwrap()) != 2 {
			t.Fatalf("error %v, want one for each of two servers", err)
		}
		for _, e := range failed.Unwrap() {
			if op, ok := e.(*client.OpError); !ok || op.Op != "get" || op.Server == "cache1" || !op.Timeout() {
				t.Errorf("%#v", e)
			}
		}
		if !client.SafeToRetry(err) {
			t.Error("a get may be tried again")
		}
	})
}

// With home out and a write of unknown fate at the only other server, the key is
// as good as deleted: no error, and it can be written.
func TestUnknownWriteOnTheLastServerIsAMiss(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		must(t, w.c.Drain("cache0"))
		w.awaitMode("cache0", "moved", time.Second)
		w.set(key, "x")
		must(t, w.servers[1].Hang())
		short, cancel := context.WithTimeout(ctx, 40*time.Millisecond)
		defer cancel()
		if err := w.c.Set(short, &client.Item{Key: key, Value: []byte("late")}); err == nil {
			t.Error("no error")
		}
		must(t, w.servers[1].Heal())
		_, err := w.c.Get(ctx, key)
		wantErr(t, err, client.ErrCacheMiss)
		found, err := w.c.GetMulti(ctx, []string{key})
		must(t, err)
		if len(found) != 0 {
			t.Errorf("found %v", found)
		}
		w.set(key, "y")
	})
}

func TestStandInThatLosesAConnectionIsAskedOnceMore(t *testing.T) {
	inWorld(t, 2, asleep, func(w *world) {
		key := w.keys("cache0", 1)[0]
		must(t, w.c.Drain("cache0"))
		w.awaitMode("cache0", "moved", time.Second)
		w.set(key, "x")
		w.servers[1].Reset(7)
		for i := 0; i < 10 && w.c.Snapshot().Retries == 0; i++ {
			_, err := w.c.Get(ctx, key)
			must(t, err)
		}
		for i := 0; i < 10 && w.c.Snapshot().Retries == 1; i++ {
			found, err := w.c.GetMulti(ctx, []string{key})
			must(t, err)
			if found[key] == nil {
				t.Error("not found")
			}
		}
		if n := w.c.Snapshot().Retries; n != 2 {
			t.Errorf("%d retries, want 2", n)
		}
	})
}
