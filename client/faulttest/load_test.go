package faulttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/client/internal/realserver"
	"github.com/ringbeat/ringbeat/ring"
)

// load sends requests at a constant rate, whatever becomes of them: 20 % sets,
// the rest gets, and a set after each miss as an application would. Values carry
// versions, so that a stale read is seen: it returns an older version than one
// whose set had returned before the read began.
type load struct {
	c    *client.Client
	calm *load // the same against a server that nobody breaks
	keys []*record
	done chan struct{}
	all  sync.WaitGroup

	mu      sync.Mutex
	results []result
}

// record is the truth about one key.
type record struct {
	key     string
	writing sync.Mutex // one writer at a time

	mu      sync.Mutex
	next    int // version
	settled int // the newest version whose set has returned without error
}

// result is what became of one request.
type result struct {
	due   time.Time
	took  time.Duration // since it was due
	err   error
	stale bool
}

// begin starts the load, and a little of it beside, against a server of its own,
// which shows how much of what is seen is the machine's fault.
func (e *env) begin(rate int) *load {
	l := start(e.c, rate, 50)
	p := realserver.Start(e.t)
	c, err := client.New(client.Config{Servers: []ring.Server{{Name: p.Addr}}, Timeout: 5 * time.Second})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(c.Close)
	l.calm = start(c, min(rate, 100), 50)
	return l
}

func start(c *client.Client, rate int, keys int) *load {
	l := &load{c: c, done: make(chan struct{})}
	for i := range keys {
		l.keys = append(l.keys, &record{key: fmt.Sprintf("key:%d", i)})
	}
	l.all.Go(func() { l.run(time.Second / time.Duration(rate)) })
	return l
}

func (l *load) run(gap time.Duration) {
	rng := rand.New(rand.NewPCG(1, 2))
	for due := time.Now(); ; due = due.Add(gap) {
		select {
		case <-l.done:
			return
		case <-time.After(time.Until(due)):
		}
		r := l.keys[rng.IntN(len(l.keys))]
		set := rng.IntN(5) == 0
		l.all.Go(func() { l.one(r, set, due) })
	}
}

func (l *load) end() {
	close(l.done)
	l.all.Wait()
	if l.calm != nil {
		l.calm.end()
		slices.SortFunc(l.calm.results, func(a, b result) int { return a.due.Compare(b.due) })
	}
}

func (l *load) one(r *record, set bool, due time.Time) {
	res := result{due: due}
	if set {
		res.err = l.set(r)
	} else {
		res.stale, res.err = l.get(r)
	}
	res.took = time.Since(due)
	l.mu.Lock()
	l.results = append(l.results, res)
	l.mu.Unlock()
}

func (l *load) set(r *record) error {
	if !r.writing.TryLock() {
		return nil // somebody writes this key: its version is not known
	}
	defer r.writing.Unlock()
	r.mu.Lock()
	r.next++
	version := r.next
	r.mu.Unlock()
	err := l.c.Set(ctx, &client.Item{Key: r.key, Value: []byte(strconv.Itoa(version) + "=" + r.key)})
	if err == nil {
		r.mu.Lock()
		r.settled = version
		r.mu.Unlock()
	}
	return err
}

func (l *load) get(r *record) (stale bool, err error) {
	r.mu.Lock()
	least := r.settled
	r.mu.Unlock()
	it, err := l.c.Get(ctx, r.key)
	if errors.Is(err, client.ErrCacheMiss) {
		return false, l.set(r)
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

// report is what users noticed between two times.
type report struct {
	ops, failed, stale int
	excused            int           // failed while the machine stood still
	harmed             int           // failed, or 100 ms slower than all beside it
	lastHarmed         time.Duration // after the beginning, when it was due
	worst              time.Duration
	firstErr           error
}

// standstill is how long a request against a server that nobody breaks must take
// for the machine to be at fault for what fails at the same time.
const standstill = 400 * time.Millisecond

// between sums up what was due between two times.
func (l *load) between(from, to time.Time) report {
	l.mu.Lock()
	defer l.mu.Unlock()
	var r report
	for _, res := range l.results {
		if res.due.Before(from) || !res.due.Before(to) {
			continue
		}
		r.ops++
		r.worst = max(r.worst, res.took)
		if res.stale {
			r.stale++
		}
		if res.err != nil && l.calm.slowest(res) > standstill {
			r.excused++
			continue
		}
		if res.err != nil {
			r.failed++
			if r.firstErr == nil {
				r.firstErr = res.err
			}
		}
		if res.err != nil || res.took > 100*time.Millisecond+l.calm.slowest(res) {
			r.harmed++
			r.lastHarmed = max(r.lastHarmed, res.due.Sub(from))
		}
	}
	return r
}

// slowest returns the longest that a request took which was under way at the same
// time as other.
func (l *load) slowest(other result) (most time.Duration) {
	const around = 200 * time.Millisecond
	i, _ := slices.BinarySearchFunc(l.results, other.due.Add(-around), func(r result, at time.Time) int { return r.due.Compare(at) })
	for ; i < len(l.results) && l.results[i].due.Before(other.due.Add(other.took)); i++ {
		most = max(most, l.results[i].took)
	}
	return most
}

// calmWorst returns the slowest request beside, between two times.
func (l *load) calmWorst(from, to time.Time) time.Duration {
	return l.calm.slowest(result{due: from, took: to.Sub(from)})
}

func (r report) String() string {
	return fmt.Sprintf("%d ops, %d failed, %d excused, %d harmed, last %v, worst %v, %d stale, %v",
		r.ops, r.failed, r.excused, r.harmed, r.lastHarmed.Round(time.Millisecond), r.worst.Round(time.Millisecond), r.stale, r.firstErr)
}

func (r report) wantFailed(t *testing.T, most int) {
	t.Helper()
	if r.failed > most {
		t.Errorf("%d of %d requests failed, at most %d: %v", r.failed, r.ops, most, r.firstErr)
	}
}
