package load

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// store is a client that keeps its items in a map and can be made to lie.
type store struct {
	mu    sync.Mutex // guards the fields below
	items map[string][]byte
	old   map[string][]byte // the value before the last set

	lie   func(key string) bool // answer with the old value
	swap  func(key string) string
	fails func() error
}

func newStore() *store {
	return &store{items: map[string][]byte{}, old: map[string][]byte{}}
}

func (s *store) Get(key string, dst []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		if err := s.fails(); err != nil {
			return dst, err
		}
	}
	if s.swap != nil {
		key = s.swap(key)
	}
	from := s.items
	if s.lie != nil && s.lie(key) && s.old[key] != nil {
		from = s.old
	}
	v, ok := from[key]
	if !ok {
		return dst, target.ErrMiss
	}
	return append(dst, v...), nil
}

func (s *store) GetMulti(keys []string, visit func(int, []byte)) error {
	for i, k := range keys {
		if v, err := s.Get(k, nil); err == nil {
			visit(i, v)
		}
	}
	return nil
}

func (s *store) Set(key string, value []byte, _ int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		if err := s.fails(); err != nil {
			return err
		}
	}
	s.old[key] = s.items[key]
	s.items[key] = append([]byte(nil), value...)
	return nil
}

func (s *store) Add(key string, value []byte, ttl int32) error {
	if _, err := s.Get(key, nil); err == nil {
		return target.ErrNotStored
	}
	return s.Set(key, value, ttl)
}

func (s *store) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.items[key]; !ok {
		return target.ErrMiss
	}
	s.old[key] = s.items[key]
	delete(s.items, key)
	return nil
}

func (s *store) Increment(string, uint64) (uint64, error)       { return 1, nil }
func (s *store) Touch(string, int32) error                      { return nil }
func (s *store) Swap(key string, value []byte, ttl int32) error { return s.Set(key, value, ttl) }
func (s *store) Close() error                                   { return nil }

// verified runs a mixed workload with verification over a store.
func verified(t *testing.T, s *store) *measure.Tally {
	t.Helper()
	mix, err := workload.ParseMix("get=60,set=20,delete=5,add=5,mget=5,cas=5")
	if err != nil {
		t.Fatal(err)
	}
	w, err := workload.New(workload.Config{
		Seed: 1, Keys: 50, Prefix: "k", Law: "uniform", Mix: mix, Size: "10-100", MGet: 5, TTL: "0", HitRatio: 0.9, MinSize: 24,
	})
	if err != nil {
		t.Fatal(err)
	}
	session := &Session{
		Workload: w, Values: workload.NewValues(7), Ledger: workload.NewLedger(50), Client: s, FillMiss: true,
	}
	scratch := NewScratch()
	for key := range w.Keys.Len() {
		if err := session.Store(key, scratch); err != nil {
			t.Fatal(err)
		}
	}
	rec := measure.NewRecorder(2, 1)
	if _, err := Run(t.Context(), Config{Workers: 8, Requests: 5000, Grace: time.Second}, session, rec); err != nil {
		t.Fatal(err)
	}
	return rec.Total()
}

func TestHonestStoreVerifies(t *testing.T) {
	sum := verified(t, newStore()).Sum()
	if sum.Stale != 0 || sum.Wrong != 0 || sum.Failed != 0 {
		t.Errorf("stale %d, wrong %d, failed %d of an honest store", sum.Stale, sum.Wrong, sum.Failed)
	}
	if sum.Hits < 3000 || sum.Misses == 0 || sum.Refused == 0 {
		t.Errorf("hits %d, misses %d, refused %d", sum.Hits, sum.Misses, sum.Refused)
	}
}

func TestStaleReadsAreCaught(t *testing.T) {
	s := newStore()
	s.lie = func(key string) bool { return key == "k7" }
	if sum := verified(t, s).Sum(); sum.Stale == 0 || sum.Wrong != 0 {
		t.Errorf("stale %d, wrong %d; one key answers with old values", sum.Stale, sum.Wrong)
	}
}

func TestAnotherKeysValueIsCaught(t *testing.T) {
	s := newStore()
	s.swap = func(key string) string {
		if key == "k7" {
			return "k8"
		}
		return key
	}
	if sum := verified(t, s).Sum(); sum.Wrong == 0 || sum.Stale != 0 {
		t.Errorf("wrong %d, stale %d; two keys are mixed up", sum.Wrong, sum.Stale)
	}
}

// A write whose fate is unknown makes neither the old nor the new value stale.
func TestUnknownFateIsNotStale(t *testing.T) {
	s := newStore()
	n := 0
	s.fails = func() error {
		if n++; n > 100 && n%7 == 0 {
			return errors.New("timeout")
		}
		return nil
	}
	if sum := verified(t, s).Sum(); sum.Failed == 0 || sum.Stale != 0 || sum.Wrong != 0 {
		t.Errorf("failed %d, stale %d, wrong %d", sum.Failed, sum.Stale, sum.Wrong)
	}
}

// The fill is a request of its own: the get's latency does not contain it.
func TestFillIsCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := workload.New(workload.Config{
			Keys: 100, Law: "seq", Mix: workload.Mix{workload.Get: 1}, Size: "10", MGet: 1, TTL: "0", HitRatio: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		session := &Session{Workload: w, Values: workload.NewValues(1), Client: slowSets{newStore()}, FillMiss: true}
		_, tally := runOpen(t, t.Context(), uniformPlan(t, 100, 200), 100, session)
		get, fill := tally.Ops[workload.Get], tally.Ops[workload.Fill]
		if get.Count != 200 || get.Misses != 100 || get.Hits != 100 || fill.Count != 100 || tally.Sent != 300 {
			t.Fatalf("get %+v, fill %+v, %d sent", get, fill, tally.Sent)
		}
		if measure.Max(get.Response) > time.Microsecond || measure.At(fill.Response, 1) < 4*time.Millisecond {
			t.Errorf("get max %v, fill p1 %v", measure.Max(get.Response), measure.At(fill.Response, 1))
		}
	})
}

type slowSets struct{ *store }

func (s slowSets) Set(key string, value []byte, ttl int32) error {
	time.Sleep(5 * time.Millisecond)
	return s.store.Set(key, value, ttl)
}
