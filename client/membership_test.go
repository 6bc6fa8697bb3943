package client_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/ring"
)

// names lists the members with their modes.
func (w *world) names() (list []string) {
	for _, s := range w.c.Servers() {
		list = append(list, s.Name+" "+s.Mode)
	}
	return list
}

func (w *world) wantNames(want ...string) {
	w.t.Helper()
	if got := w.names(); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("members %q, want %q", got, want)
	}
}

func TestAddedServerServesAfterItsFirstGoodProbe(t *testing.T) {
	inWorld(t, 2, client.Config{}, func(w *world) {
		s := w.more()
		must(t, w.servers[2].Refuse())
		epoch := w.c.Snapshot().Epoch
		must(t, w.c.AddServer(s))
		time.Sleep(time.Minute)
		w.wantNames("cache0 serving", "cache1 serving", "cache2 joining")
		for i := range 100 {
			w.set(fmt.Sprint("key:", i), "x")
		}
		must(t, w.servers[2].Heal())
		w.awaitMode("cache2", "serving", 5*time.Second)
		for i := range 100 {
			w.set(fmt.Sprint("key:", i), "x")
		}
		if w.requests(2) == 0 || w.c.Snapshot().Epoch <= epoch {
			t.Errorf("%d requests at the new server, epoch %d", w.requests(2), w.c.Snapshot().Epoch)
		}
	})
}

func TestRemovedServerIsDrainedAndClosed(t *testing.T) {
	inWorld(t, 3, client.Config{}, func(w *world) {
		key := w.keys("cache1", 1)[0]
		w.set(key, "x")
		w.servers[1].Slow(50 * time.Millisecond)
		got := make(chan error, 1)
		go func() { _, err := w.c.Get(ctx, key); got <- err }()
		synctest.Wait()
		must(t, w.c.RemoveServer("cache1"))
		w.wantNames("cache0 serving", "cache2 serving")
		must(t, <-got) // what was under way ends well
		time.Sleep(time.Second)
		if n := w.servers[1].Stats().Conns; n != 0 {
			t.Errorf("%d connections to a removed server", n)
		}
		before := w.requests(1)
		w.set(key, "x")
		time.Sleep(time.Minute)
		if n := w.requests(1); n != before {
			t.Errorf("a removed server got %d requests", n-before)
		}
		wantErr(t, w.c.RemoveServer("cache1"), ring.ErrUnknownServer)
		must(t, w.c.RemoveServer("cache0"))
		wantErr(t, w.c.RemoveServer("cache2"), client.ErrNoServers)
		w.wantNames("cache2 serving")
		synctest.Wait()
	})
}

func TestReplacedServerServesUntilItsHeirAnswers(t *testing.T) {
	inWorld(t, 3, client.Config{}, func(w *world) {
		keys := w.keys("cache1", 20)
		others := append(w.keys("cache0", 20), w.keys("cache2", 20)...)
		for _, key := range append(keys, others...) {
			w.set(key, "x")
		}
		s := w.more()
		must(t, w.servers[3].Hang())
		must(t, w.c.ReplaceServer("cache1", ring.Server{Addr: s.Addr}))
		time.Sleep(10 * time.Second)
		w.wantNames("cache0 serving", "cache1 leaving", "cache1 joining", "cache2 serving")
		for _, key := range keys {
			_, err := w.c.Get(ctx, key)
			must(t, err)
		}
		must(t, w.servers[3].Heal())
		await(t, "replaced", func() bool { return len(w.c.Servers()) == 3 })
		w.wantNames("cache0 serving", "cache1 serving", "cache2 serving")
		for _, key := range keys {
			_, err := w.c.Get(ctx, key)
			wantErr(t, err, client.ErrCacheMiss)
		}
		for _, key := range others { // no key has moved
			_, err := w.c.Get(ctx, key)
			must(t, err)
		}
		wantErr(t, w.c.ReplaceServer("nobody", s), ring.ErrUnknownServer)
	})
}

func TestSetServersRefusesWhatMustBeAMistake(t *testing.T) {
	inWorld(t, 5, client.Config{}, func(w *world) {
		var list []ring.Server
		for _, s := range w.c.Servers() {
			list = append(list, s.Server)
		}
		wantErr(t, w.c.SetServers(), client.ErrNoServers)
		wantErr(t, w.c.SetServers(list[:2]...), client.ErrShrunk)
		wantErr(t, w.c.ReplaceAllServers(), client.ErrNoServers)
		bad := w.c.SetServers(ring.Server{Name: "a b"}, ring.Server{Addr: "x:99999"}, ring.Server{Name: "c", Weight: -1}, list[0], list[0])
		for _, want := range []error{ring.ErrBadName, ring.ErrBadAddr, ring.ErrBadWeight, ring.ErrDuplicate} {
			wantErr(t, bad, want)
		}
		w.wantNames("cache0 serving", "cache1 serving", "cache2 serving", "cache3 serving", "cache4 serving")
		epoch := w.c.Snapshot().Epoch
		must(t, w.c.SetServers(list...))
		if w.c.Snapshot().Epoch != epoch {
			t.Error("the same list is a new epoch")
		}
		must(t, w.c.SetServers(list[:3]...))
		must(t, w.c.ReplaceAllServers(list[2]))
		w.wantNames("cache2 serving")
		w.set("key", "x")
		synctest.Wait()
	})
}

func TestWholeListReplacedLeavesNoGap(t *testing.T) {
	inWorld(t, 2, client.Config{}, func(w *world) {
		a, b := w.more(), w.more()
		must(t, w.servers[2].Hang())
		must(t, w.servers[3].Hang())
		must(t, w.c.SetServers(a, b))
		time.Sleep(5 * time.Second)
		w.set("key", "by the old ones")
		must(t, w.servers[3].Heal())
		w.awaitMode("cache3", "serving", 5*time.Second)
		w.set("key", "x")
		must(t, w.servers[2].Heal())
		w.awaitMode("cache2", "serving", 5*time.Second)
		w.wantNames("cache2 serving", "cache3 serving")
	})
}

func TestMembershipChangesUnderLoad(t *testing.T) {
	c, servers := overReal(t, 4)
	var list []ring.Server
	for _, s := range c.Servers() {
		list = append(list, s.Server)
	}
	stop := make(chan struct{})
	done := make(chan error, 8)
	for g := range 8 {
		go func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				key := fmt.Sprint(g, ":", i%100)
				err := c.Set(ctx, &client.Item{Key: key, Value: []byte(key)})
				if it, getErr := c.Get(ctx, key); getErr == nil && string(it.Value) != key {
					err = errors.New("another key's value")
				} else if getErr != nil && !errors.Is(getErr, client.ErrCacheMiss) {
					err = getErr
				}
				if err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for i := range 30 {
		must(t, c.RemoveServer("cache3"))
		must(t, c.AddServer(ring.Server{Name: "cache3", Addr: servers[3].Addr, Weight: 1 + i%3}))
		must(t, c.ReplaceServer("cache2", ring.Server{Addr: servers[i%2].Addr}))
		must(t, c.SetServers(list...))
	}
	close(stop)
	for range 8 {
		must(t, <-done)
	}
}
