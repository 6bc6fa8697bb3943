package workload

import (
	"reflect"
	"strings"
	"testing"
)

func testConfig() Config {
	return Config{
		Seed: 1, Keys: 1000, Prefix: "t-", Law: "zipf:0.99", Size: "10-200", MGet: 10, TTL: "60-300", HitRatio: 0.9,
		Mix: Mix{Get: 0.6, Set: 0.1, Delete: 0.1, Incr: 0.1, MGet: 0.1},
	}
}

func mustNew(t *testing.T, c Config) *Workload {
	t.Helper()
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestSameSeedSameRequests(t *testing.T) {
	a, b := mustNew(t, testConfig()), mustNew(t, testConfig())
	other := testConfig()
	other.Seed = 2
	c := mustNew(t, other)
	equal := 0
	for slot := range uint64(1000) {
		var qa, qb, qc Request
		a.Request(slot, &qa)
		b.Request(slot, &qb)
		c.Request(slot, &qc)
		if !reflect.DeepEqual(qa, qb) {
			t.Fatalf("slot %d: %+v and %+v", slot, qa, qb)
		}
		if qa.Op == qc.Op && qa.Key == qc.Key {
			equal++
		}
	}
	if equal > 300 {
		t.Errorf("seeds 1 and 2 share %d of 1,000 requests", equal)
	}
}

func TestRequestsKeepTheirBounds(t *testing.T) {
	w := mustNew(t, testConfig())
	absent, reads := 0, 0
	var q Request
	for slot := range uint64(20_000) {
		w.Request(slot, &q)
		switch q.Op {
		case Get:
			reads++
			if !w.Keys.Stored(q.Key) {
				absent++
			}
		case Set:
			if q.TTL < 60 || q.TTL > 300 || !w.Keys.Stored(q.Key) {
				t.Fatalf("set of key %d with ttl %d", q.Key, q.TTL)
			}
		case Incr:
			if !strings.Contains(w.Keys.Name(q.Key), "counter") {
				t.Fatalf("incr of %q", w.Keys.Name(q.Key))
			}
		case MGet:
			seen := map[int]bool{}
			for _, k := range q.Keys {
				seen[k] = true
			}
			if len(seen) != 10 {
				t.Fatalf("multi-get of %d distinct keys", len(seen))
			}
		}
	}
	if share := float64(absent) / float64(reads); share < 0.08 || share > 0.12 {
		t.Errorf("%.3f of the reads ask for absent keys, want 0.1", share)
	}
}

func TestKeyNamesAreDistinctAndLegal(t *testing.T) {
	for _, size := range []string{"", "30", "fb", "250"} {
		law, err := ParseKeySize(size)
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewKeys(2000, "mcbench-", law)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for i := range k.Total() {
			name := k.Name(i)
			if seen[name] || len(name) == 0 || len(name) > MaxKeySize || strings.ContainsAny(name, " \r\n") {
				t.Fatalf("size %q: key %d is %q", size, i, name)
			}
			if size == "30" && len(name) != 30 {
				t.Fatalf("key %q has %d bytes, want 30", name, len(name))
			}
			seen[name] = true
		}
	}
}

func TestEveryMistakeOfAConfigIsNamed(t *testing.T) {
	c := testConfig()
	c.Law, c.Size, c.TTL, c.KeySize, c.MGet, c.HitRatio = "zap", "big", "soon", "0", 0, 2
	_, err := New(c)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"zap", "big", "soon", `key size "0"`, "multi-get", "hit ratio"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q:\n%v", want, err)
		}
	}
	for _, prefix := range []string{"a b", "a\n", strings.Repeat("x", 240)} {
		c := testConfig()
		c.Prefix = prefix
		if _, err := New(c); err == nil {
			t.Errorf("prefix %q accepted", prefix)
		}
	}
}

func TestValuesCarryKeyVersionAndRun(t *testing.T) {
	v := NewValues(42)
	for _, size := range []int{24, 25, 100, 5000, MaxValueSize} {
		value := v.Append(nil, 7, 3, size)
		if len(value) != size {
			t.Fatalf("%d bytes, want %d", len(value), size)
		}
		if version, verdict := v.Check(value, 7); version != 3 || verdict != Right {
			t.Errorf("size %d: version %d, verdict %v", size, version, verdict)
		}
		if _, verdict := v.Check(value, 8); verdict != Wrong {
			t.Error("another key's value passes")
		}
		if _, verdict := NewValues(43).Check(value, 7); verdict != Foreign {
			t.Error("another run's value passes")
		}
		if size > headerSize {
			value[size-1] ^= 1
			if _, verdict := v.Check(value, 7); verdict != Wrong {
				t.Error("a flipped bit passes")
			}
		}
	}
	if _, verdict := v.Check([]byte("short"), 7); verdict != Foreign {
		t.Error("a value without header is judged")
	}
}

func TestLedgerTellsStaleFromRight(t *testing.T) {
	l := NewLedger(4)
	key, v1, ok := l.Begin(2)
	if key != 2 || v1 != 1 || !ok {
		t.Fatalf("first write: key %d version %d", key, v1)
	}
	if other, _, _ := l.Begin(2); other != 3 {
		t.Errorf("a key under write was given out again (%d)", other)
	}
	before := l.Floor(2)
	l.End(2, v1, true)
	after := l.Floor(2)
	for _, c := range []struct {
		version, floor    uint32
		stale, impossible bool
	}{
		{0, before, false, false}, // sent before the write was confirmed: both are right
		{1, before, false, false},
		{0, after, true, false}, // confirmed, yet the old value
		{1, after, false, false},
		{2, after, false, true}, // never written
	} {
		if stale, impossible := l.Judge(2, c.version, c.floor); stale != c.stale || impossible != c.impossible {
			t.Errorf("version %d, floor %d: stale %v impossible %v", c.version, c.floor, stale, impossible)
		}
	}
	_, v2, _ := l.Begin(2)
	l.End(2, v2, false) // fate unknown: the old one may still be read
	if stale, _ := l.Judge(2, 1, l.Floor(2)); stale {
		t.Error("an unconfirmed write made the old value stale")
	}
}

func TestSplitGivesTheVictimItsShare(t *testing.T) {
	c := testConfig()
	c.Mix, c.HitRatio = Mix{Get: 1}, 1
	w := mustNew(t, c)
	isVictim := func(key int) bool { return key%4 == 0 }
	if err := w.Split(isVictim, 0.98); err != nil {
		t.Fatal(err)
	}
	hits := 0
	var q Request
	for slot := range uint64(50_000) {
		if w.Request(slot, &q); isVictim(q.Key) {
			hits++
		}
	}
	if hits < 48_700 || hits > 49_300 {
		t.Errorf("%d of 50,000 requests went to the victim, want 98 %%", hits)
	}
	if err := w.Split(func(int) bool { return false }, 0.5); err == nil {
		t.Error("a victim without keys was accepted")
	}
}
