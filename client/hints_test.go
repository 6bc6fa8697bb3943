package client

import (
	"fmt"
	"testing"
	"time"
)

func TestHintIsForgottenOnlyByItsOwnDelete(t *testing.T) {
	var h hints
	now := time.Now()
	h.add("key", now, 10)
	batch, _ := h.due(now, make([]errand, 0, 10))
	h.add("key", now, 10) // renewed while the delete is under way
	h.done(batch[0])
	if !h.open() {
		t.Fatal("the renewed hint was forgotten")
	}
	batch, _ = h.due(now, batch[:0])
	h.done(batch[0])
	if h.open() {
		t.Fatal("the hint was not forgotten")
	}
}

func TestHintIsDueWhenTheLastWriteIsSettled(t *testing.T) {
	var h hints
	now := time.Now()
	h.add("key", now.Add(time.Second), 10)
	h.add("key", now, 10) // a later write that did not go there
	h.add("other", now.Add(2*time.Second), 10)
	batch, next := h.due(now, make([]errand, 0, 10))
	if len(batch) != 0 || !next.Equal(now.Add(time.Second)) {
		t.Fatalf("%v due, the next %v later", batch, next.Sub(now))
	}
	batch, next = h.due(now.Add(time.Second), batch)
	if len(batch) != 1 || batch[0].key != "key" || !next.Equal(now.Add(2*time.Second)) {
		t.Fatalf("%v due, the next %v later", batch, next.Sub(now))
	}
}

func TestHintsAreBounded(t *testing.T) {
	var h hints
	now := time.Now()
	firsts := 0
	for i := range 20 {
		if h.add(fmt.Sprint(i), now, 10) {
			firsts++
		}
	}
	if len(h.keys) != 10 || firsts != 1 || !h.overflow {
		t.Errorf("%d hints, told %d times, overflow %v", len(h.keys), firsts, h.overflow)
	}
	h.add("0", now, 10) // one that is known needs no room
	batch, next := h.due(now, make([]errand, 0, 4))
	if len(batch) != 4 || !next.Equal(now) {
		t.Errorf("%d in a batch of 4, more %v later", len(batch), next.Sub(now))
	}
	if n := h.drop(); n != 10 || h.open() || h.overflow {
		t.Errorf("%d dropped, %v", n, h)
	}
}

func TestLoansExpireAndAreBounded(t *testing.T) {
	var l loans
	now := time.Now()
	a, b := new(server), new(server)
	l.add("key", a, now.Add(time.Second), 2)
	l.add("key", b, now.Add(2*time.Second), 2)
	l.add("key", b, now.Add(2*time.Second), 2)
	l.add("other", a, now.Add(time.Second), 2)
	if at := l.keys["key"].at; len(at) != 2 {
		t.Errorf("at %d servers, want 2", len(at))
	}
	l.add("one too many", a, now.Add(3*time.Second), 2)
	next := l.expire(now.Add(time.Second))
	if len(l.keys) != 1 || next.Before(now.Add(2*time.Second)) {
		t.Errorf("%d loans left, the next look %v later", len(l.keys), next.Sub(now))
	}
	if again := l.expire(now.Add(1500 * time.Millisecond)); !again.Equal(next) {
		t.Errorf("looked again within a second: the next look %v later", again.Sub(now))
	}
	if last := l.expire(next); len(l.keys) != 0 || !last.IsZero() {
		t.Errorf("%d loans left, the next look %v later", len(l.keys), last.Sub(now))
	}
	if !l.open(now.Add(2*time.Second)) || l.open(now.Add(3*time.Second)) {
		t.Error("what found no room is on loan until it expires, and no longer")
	}
}

func TestBudgetIsATenthAndAReserve(t *testing.T) {
	var b budget
	b.init()
	spent := 0
	for b.spend() {
		spent++
	}
	if spent != startReserve {
		t.Errorf("%d retries at first, want %d", spent, startReserve)
	}
	b.earn(95)
	for spent = 0; b.spend(); spent++ {
	}
	if spent != 9 {
		t.Errorf("%d retries for 95 requests, want 9", spent)
	}
	for range 10 * fullReserve {
		b.earn(earnEvery)
	}
	for spent = 0; b.spend(); spent++ {
	}
	if spent < fullReserve || spent > fullReserve+earnEvery {
		t.Errorf("%d retries in the full reserve, want %d", spent, fullReserve)
	}
}

func TestReturnedKeysOnlyBecomeMore(t *testing.T) {
	const ramp = 10 * time.Second
	back := make(map[string]bool)
	for since := time.Duration(0); since <= ramp; since += ramp / 20 {
		for i := range 1000 {
			key := fmt.Sprint("k", i)
			switch r := returned(key, since, ramp); {
			case back[key] && !r:
				t.Fatalf("%s left again after %v", key, since)
			case r:
				back[key] = true
			}
		}
		if since == 0 && (len(back) < 50 || len(back) > 150) {
			t.Errorf("%d of 1000 keys back at once, want a tenth", len(back))
		}
	}
	if len(back) != 1000 {
		t.Errorf("%d of 1000 keys back at the end", len(back))
	}
	if !returned("key", 0, 0) {
		t.Error("without a ramp all keys are back at once")
	}
}
