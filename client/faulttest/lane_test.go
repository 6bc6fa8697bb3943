package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
)

// workers bounds the requests that a lane has under way. A client that waits 500 ms
// for each of 667 requests a second has 334.
const workers = 512

// cache is what a lane asks of a client.
type cache interface {
	Get(ctx context.Context, key string) (*client.Item, error)
	Set(ctx context.Context, it *client.Item) error
}

// plain is gomemcache, which knows no contexts.
type plain struct{ c *memcache.Client }

func (p plain) Get(_ context.Context, key string) (*client.Item, error) { return p.c.Get(key) }

func (p plain) Set(_ context.Context, it *client.Item) error { return p.c.Set(it) }

// lane sends one of several clients its requests, on workers and keys of its own,
// so that none waits for another. All lanes draw the same requests. Unlike load, a
// lane turns a set of a key that somebody writes into a get: where writes hang,
// what is left out would hide failures.
type lane struct {
	name  string
	cache cache
	book  load // the truth about the keys, and the results
	queue chan request
	all   sync.WaitGroup
}

type request struct {
	r   *record
	set bool
	due time.Time
}

func newLane(name string, c cache, rate int) *lane {
	l := &lane{name: name, cache: c}
	prefix := strings.ReplaceAll(name, " ", "-")
	for i := range max(50, rate/5) {
		l.book.keys = append(l.book.keys, &record{key: fmt.Sprintf("%s:%d", prefix, i)})
	}
	return l
}

// fill stores every key once.
func (l *lane) fill(t *testing.T) {
	t.Helper()
	for _, r := range l.book.keys {
		if _, err := l.set(r); err != nil {
			t.Fatalf("%s: %v", l.name, err)
		}
	}
}

// start sends requests at a constant rate until the end.
func (l *lane) start(rate int, end time.Time) {
	gap := time.Second / time.Duration(rate)
	// There is room for every request: whoever sends never waits for the workers.
	l.queue = make(chan request, time.Until(end)/gap+1)
	l.all.Go(func() { l.send(gap, end) })
	for range workers {
		l.all.Go(l.work)
	}
}

// wait waits for the end and all answers.
func (l *lane) wait() { l.all.Wait() }

func (l *lane) send(gap time.Duration, end time.Time) {
	defer close(l.queue)
	rng := rand.New(rand.NewPCG(1, 2))
	for due := time.Now(); due.Before(end); due = due.Add(gap) {
		time.Sleep(time.Until(due))
		l.queue <- request{r: l.book.keys[rng.IntN(len(l.book.keys))], set: rng.IntN(5) == 0, due: due}
	}
}

func (l *lane) work() {
	for q := range l.queue {
		res := l.one(q)
		l.book.mu.Lock()
		l.book.results = append(l.book.results, res)
		l.book.mu.Unlock()
	}
}

func (l *lane) one(q request) result {
	res := result{due: q.due}
	done := false
	if q.set {
		done, res.err = l.set(q.r)
	}
	if !done {
		res.stale, res.err = l.get(q.r)
	}
	res.took = time.Since(q.due)
	return res
}

// set stores the key's next version, unless somebody writes the key already: then
// the order of the two would not be known.
func (l *lane) set(r *record) (done bool, err error) {
	if !r.writing.TryLock() {
		return false, nil
	}
	defer r.writing.Unlock()
	r.mu.Lock()
	r.next++
	version := r.next
	r.mu.Unlock()
	err = l.cache.Set(ctx, &client.Item{Key: r.key, Value: []byte(strconv.Itoa(version) + "=" + r.key)})
	if err == nil {
		r.mu.Lock()
		r.settled = version
		r.mu.Unlock()
	}
	return true, err
}

func (l *lane) get(r *record) (stale bool, err error) {
	r.mu.Lock()
	least := r.settled
	r.mu.Unlock()
	it, err := l.cache.Get(ctx, r.key)
	if errors.Is(err, client.ErrCacheMiss) {
		_, err = l.set(r)
		return false, err
	}
	if err != nil {
		return false, err
	}
	version, key, _ := strings.Cut(string(it.Value), "=")
	if key != r.key {
		return false, fmt.Errorf("another key's value: %q for %q", key, r.key)
	}
	n, err := strconv.Atoi(version)
	return n < least, err
}
