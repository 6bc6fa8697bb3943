package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/client/internal/realserver"
	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/ring"
)

// quick is a heartbeat for tests that wait for it.
var quick = heartbeat.Config{
	Timeout:  250 * time.Millisecond,
	Interval: 50 * time.Millisecond, SuspectInterval: 10 * time.Millisecond,
	EjectedInterval: 20 * time.Millisecond, MaxEjectedInterval: 40 * time.Millisecond, HoldDown: -1,
}

// twoServers is a client of two real servers whose keys are told apart.
type twoServers struct {
	t  *testing.T
	c  *client.Client
	at map[string]*realserver.Process
	r  *ring.Ring
}

func overTwo(t *testing.T, cfg client.Config) *twoServers {
	t.Helper()
	if cfg.Heartbeat.Timeout == 0 {
		cfg.Heartbeat = quick
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Second // no accident of the machine may make a detour
	}
	c, servers := overRealWith(t, 2, cfg)
	s := &twoServers{t: t, c: c, at: make(map[string]*realserver.Process)}
	var list []ring.Server
	for i, st := range c.Servers() {
		s.at[st.Name] = servers[i]
		list = append(list, st.Server)
	}
	r, err := ring.New("", list...)
	must(t, err)
	s.r = r
	return s
}

// keys returns n keys whose home is cache0 and whose stand-in is cache1.
func (s *twoServers) keys(n int) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprint("key:", i)
		if home, _ := s.r.Pick(key); home.Name == "cache0" {
			keys = append(keys, key)
		}
	}
	return keys
}

func (s *twoServers) status(name string) client.ServerStatus {
	list := s.c.Servers()
	return list[slices.IndexFunc(list, func(st client.ServerStatus) bool { return st.Name == name })]
}

// awaitMode waits until the server's keys are served in the given way.
func (s *twoServers) awaitMode(name, mode string) {
	s.t.Helper()
	await(s.t, name+" is "+mode, func() bool { return s.status(name).Mode == mode })
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	// Long enough for a monitor on a busy machine, which doubts itself first.
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// out takes cache0 out of service; back lets it in again.
func (s *twoServers) out() {
	s.t.Helper()
	must(s.t, s.c.Drain("cache0"))
	s.awaitMode("cache0", "moved")
}

func (s *twoServers) back() {
	s.t.Helper()
	must(s.t, s.c.Resume("cache0"))
	s.awaitMode("cache0", "serving")
}

func (s *twoServers) set(key, value string) {
	s.t.Helper()
	must(s.t, s.c.Set(ctx, &client.Item{Key: key, Value: []byte(value)}))
}

// holds checks what a server holds for a key, "" for nothing.
func (s *twoServers) holds(name, key, want string) {
	s.t.Helper()
	if got, _ := s.at[name].Get(key); got != want {
		s.t.Errorf("%s holds %q for %q, want %q", name, got, key, want)
	}
}

// reads checks what the client reads, "" for a miss.
func (s *twoServers) reads(key, want string) {
	s.t.Helper()
	it, err := s.c.Get(ctx, key)
	if errors.Is(err, client.ErrCacheMiss) {
		it, err = &client.Item{}, nil
	}
	must(s.t, err)
	if string(it.Value) != want {
		s.t.Errorf("%q reads %q, want %q", key, it.Value, want)
	}
	found, err := s.c.GetMulti(ctx, []string{key})
	must(s.t, err)
	if got := found[key]; got == nil && want != "" || got != nil && string(got.Value) != want {
		s.t.Errorf("%q multi-reads %v, want %q", key, got, want)
	}
}

func TestWhatChangedElsewhereIsNotReadAtHome(t *testing.T) {
	s := overTwo(t, client.Config{})
	item := func(key string) *client.Item { return &client.Item{Key: key, Value: []byte("new")} }
	changes := []func(key string){
		func(key string) { must(t, s.c.Set(ctx, item(key))) },
		func(key string) { must(t, s.c.SetMulti(ctx, []*client.Item{item(key)})) },
		func(key string) { wantErr(t, s.c.Delete(ctx, key), client.ErrCacheMiss) },
		func(key string) { must(t, s.c.DeleteMulti(ctx, []string{key})) },
		func(key string) { wantErr(t, s.c.Touch(ctx, key, time.Hour), client.ErrCacheMiss) },
		func(key string) { must(t, s.c.Add(ctx, item(key))) },
		func(key string) { wantErr(t, s.c.Replace(ctx, item(key)), client.ErrNotStored) },
		func(key string) { wantErr(t, s.c.Append(ctx, item(key)), client.ErrNotStored) },
		func(key string) {
			_, err := s.c.Increment(ctx, key, 1)
			wantErr(t, err, client.ErrCacheMiss)
		},
	}
	keys := s.keys(len(changes) + 1)
	for _, key := range keys {
		s.set(key, "old")
	}
	s.out()
	for i, change := range changes {
		change(keys[i])
	}
	unchanged := keys[len(changes)]
	s.reads(unchanged, "")
	if n := s.status("cache0").Hints; n != len(changes) {
		t.Errorf("%d hints, want %d", n, len(changes))
	}
	s.back()
	for i := range changes {
		s.holds("cache0", keys[i], "")
		s.reads(keys[i], "")
	}
	s.reads(unchanged, "old")
}

func TestStandInKeepsAValueForStandInTTLAtMost(t *testing.T) {
	s := overTwo(t, client.Config{StandInTTL: time.Second})
	keys := s.keys(3)
	s.out()
	s.set(keys[0], "forever")
	must(t, s.c.Set(ctx, &client.Item{Key: keys[1], Value: []byte("long"), Expiration: 3600}))
	must(t, s.c.Set(ctx, &client.Item{Key: keys[2], Value: []byte("past"), Expiration: -1}))
	s.holds("cache1", keys[0], "forever")
	s.holds("cache1", keys[1], "long")
	s.holds("cache1", keys[2], "")
	await(t, "expiry on the stand-in", func() bool {
		_, a := s.at["cache1"].Get(keys[0])
		_, b := s.at["cache1"].Get(keys[1])
		return !a && !b
	})
}

// A second outage soon after the first must not bring back what the stand-in
// served then.
func TestFlappingDoesNotBringOldValuesBack(t *testing.T) {
	s := overTwo(t, client.Config{})
	keys := s.keys(4)
	s.out()
	for _, key := range keys {
		s.set(key, "first outage")
	}
	s.back()
	s.set(keys[0], "between")
	must(t, s.c.SetMulti(ctx, []*client.Item{{Key: keys[1], Value: []byte("between")}}))
	wantErr(t, s.c.Delete(ctx, keys[2]), client.ErrCacheMiss)
	must(t, s.c.DeleteMulti(ctx, keys[3:]))
	for _, key := range keys {
		s.holds("cache1", key, "")
	}
	s.out()
	for _, key := range keys {
		s.reads(key, "")
	}
}

func TestWritesCleanTheStandInAfterAnOutage(t *testing.T) {
	s := overTwo(t, client.Config{StandInTTL: time.Second})
	keys := s.keys(2)
	s.out()
	s.back()
	s.at["cache1"].Set(keys[0], "by another process")
	s.set(keys[0], "x")
	s.holds("cache1", keys[0], "")
	s.at["cache1"].Set(keys[0], "by another process")
	must(t, s.c.Delete(ctx, keys[0]))
	s.holds("cache1", keys[0], "")
	await(t, "ordinary times", func() bool { return !s.c.Careful("cache0") })
	s.at["cache1"].Set(keys[1], "by another process")
	s.set(keys[1], "x")
	must(t, s.c.Delete(ctx, keys[1]))
	s.holds("cache1", keys[1], "by another process")
}

func TestHintOverflowMakesEverythingAMiss(t *testing.T) {
	overflows := make(chan client.Event, 100)
	s := overTwo(t, client.Config{StandInTTL: time.Second, OnEvent: func(ev client.Event) {
		if ev.Kind == client.HintOverflow {
			overflows <- ev
		}
	}})
	s.c.LimitHints(5)
	keys := s.keys(20)
	for _, key := range keys {
		s.set(key, "old")
	}
	s.out()
	for _, key := range keys[:19] {
		s.set(key, "new")
	}
	s.back()
	for _, key := range keys {
		s.reads(key, "")
	}
	if ev := <-overflows; ev.Server != "cache0" || len(overflows) != 0 {
		t.Errorf("overflow of %q, and %d more", ev.Server, len(overflows))
	}
	await(t, "values that count again", func() bool {
		_, err := s.c.Get(ctx, keys[19])
		return err == nil
	})
}

func TestRestartedServerNeedsNoHints(t *testing.T) {
	s := overTwo(t, client.Config{})
	keys := s.keys(3)
	await(t, "process known", func() bool { return s.status("cache0").Health.Incarnation.PID != 0 })
	s.at["cache0"].Kill()
	s.awaitMode("cache0", "moved")
	for _, key := range keys {
		s.set(key, "new")
	}
	s.at["cache0"].Restart()
	s.awaitMode("cache0", "serving")
	if n := s.c.Snapshot().HintsDropped; n != uint64(len(keys)) {
		t.Errorf("%d hints dropped, want %d", n, len(keys))
	}
	for _, key := range keys {
		s.reads(key, "")
		s.set(key, "newer")
		s.reads(key, "newer")
		s.holds("cache1", key, "")
	}
}

// A write that timed out may be carried out later, when the server thaws: the key
// must not be read there until it is deleted for good. Once the server is out by
// then and all its connections are closed. Once it thaws before anybody but the
// writer has lost patience: the write lies in an open connection, and a delete
// could overtake it in another.
func TestLateWriteIsNeverRead(t *testing.T) {
	t.Run("ejected", func(t *testing.T) {
		lateWrites(t, quick, time.Second, func(s *twoServers) { s.awaitMode("cache0", "moved") })
	})
	t.Run("unnoticed", func(t *testing.T) {
		patient := heartbeat.Config{Timeout: time.Minute}
		lateWrites(t, patient, 10*time.Millisecond, func(*twoServers) {})
	})
}

func lateWrites(t *testing.T, beat heartbeat.Config, patience time.Duration, lost func(*twoServers)) {
	rounds := 10 // of 50 writes
	if testing.Short() {
		rounds = 2
	}
	s := overTwo(t, client.Config{Timeout: 800 * time.Millisecond, AttemptTimeout: 40 * time.Millisecond, Heartbeat: beat})
	keys := s.keys(50)
	s.openBoth(keys)
	for round := range rounds {
		var first, second []*client.Item
		for _, key := range keys {
			first = append(first, &client.Item{Key: key, Value: []byte(fmt.Sprint("first", round))})
			second = append(second, &client.Item{Key: key, Value: []byte(fmt.Sprint("second", round))})
		}
		s.at["cache0"].Stop()
		short, cancel := context.WithTimeout(ctx, patience)
		_ = s.c.SetMulti(short, first) // lies in the server's sockets
		cancel()
		must(t, s.c.SetMulti(ctx, second))
		lost(s)
		s.at["cache0"].Continue()
		await(t, "hints carried out", func() bool {
			s.wantSecond(keys, round)
			st := s.status("cache0")
			return st.Hints == 0 && st.Mode == "serving"
		})
		s.wantSecond(keys, round)
		for _, key := range keys {
			s.holds("cache0", key, "")
		}
	}
}

// openBoth makes the client open both its connections to cache0: what it sends on
// one may then overtake what lies in the other.
func (s *twoServers) openBoth(keys []string) {
	s.t.Helper()
	await(s.t, "two connections", func() bool {
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() { _, _ = s.c.GetMulti(ctx, keys) })
		}
		all.Wait()
		return s.status("cache0").Pool.Conns == 2
	})
}

// wantSecond wants each key to read as what was written last, or as a miss.
func (s *twoServers) wantSecond(keys []string, round int) {
	s.t.Helper()
	for _, key := range keys {
		it, err := s.c.Get(ctx, key)
		if err == nil && string(it.Value) != fmt.Sprint("second", round) || err != nil && !errors.Is(err, client.ErrCacheMiss) {
			s.t.Fatalf("round %d: read %v, %v", round, it, err)
		}
	}
}
