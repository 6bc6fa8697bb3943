package faulttest

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/client/internal/realserver"
	"github.com/ringbeat/ringbeat/ring"
)

// watch is how long clients are watched after the heal: until nutcracker, which
// leaves a server out for 30 s, has let it in again and shows what is read there.
const watch = 30 * time.Second

// TestFaultSideBySide sends the same requests through three clients at a time to
// one pair of servers and takes the larger away from all of them at once. What
// becomes of the others is shown and not judged.
func TestFaultSideBySide(t *testing.T) {
	rates, hold := []int{1000}, 8*time.Second
	if os.Getenv("RINGBEAT_FAULTS") == "measure" {
		rates, hold = []int{1000, 6}, 30*time.Second
	}
	for _, rate := range rates {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			runSideBySide(t, rate, hold)
		})
	}
}

func runSideBySide(t *testing.T, rate int, hold time.Duration) {
	e := newEnv(t, 2, func(cfg *client.Config) {
	}, "-c", "4096")
	ours, lanes := e.lanes(rate)
	calm := beside(t, rate)

	end := time.Now().Add(warmUp + hold + watch)
	for _, l := range lanes {
		l.start(rate, end)
	}
	time.Sleep(warmUp)
	began := time.Now()
	e.faults.drop(t, e.servers[0].Port())
	time.Sleep(time.Until(began.Add(hold)))
	e.faults.heal()
	healed := time.Now()
	for _, l := range lanes {
		l.wait()
		l.book.calm = calm
	}
	(&load{calm: calm, done: make(chan struct{})}).end() // ends it, and sorts its results

	t.Logf("%d requests/s, the server with 2/3 of the weight black-holed for %v:\n\n%s", rate, hold, table(t, lanes, began, healed))
	all := ours.book.between(began, end)
	t.Logf("beside %v; ringbeat: %v", ours.book.calmWorst(began, end).Round(time.Millisecond), all)
	if all.failed > 0 {
		t.Logf("beside each of the failed at least %v", ours.leastBeside(began).Round(time.Millisecond))
	}
	all.wantFailed(t, 0)
	if all.stale > 0 {
		t.Errorf("%d stale reads", all.stale)
	}
	if ran := int(end.Sub(began).Seconds()) * rate; all.ops < ran*9/10 {
		t.Errorf("only %d of %d requests were sent", all.ops, ran)
	}
}

// lanes returns the clients that run side by side, ringbeat's first.
func (e *env) lanes(rate int) (ours *lane, all []*lane) {
	e.t.Helper()
	large, small := e.servers[0].Addr, e.servers[1].Addr
	ours = newLane("ringbeat", e.c, rate)
	all = []*lane{
		ours,
		newLane("gomemcache", newPlain(e.t, large, large, small), rate), // twice: twice the weight
	}
	if proxy, ok := startNutcracker(e.t, large+":2 cache0", small+":1 cache1"); ok {
		all = append(all, newLane(viaNutcracker, newPlain(e.t, proxy), rate))
	}
	for _, l := range all {
		l.fill(e.t)
	}
	return ours, all
}

const viaNutcracker = "gomemcache through nutcracker"

// newPlain returns gomemcache with its default timeout, and with as many idle
// connections as there are workers, so that it does not dial for each request.
func newPlain(t *testing.T, addrs ...string) plain {
	c := memcache.New(addrs...)
	c.MaxIdleConns = workers
	t.Cleanup(func() { _ = c.Close() })
	return plain{c}
}

// beside starts a little load against a server that nobody breaks.
func beside(t *testing.T, rate int) *load {
	t.Helper()
	p := realserver.Start(t)
	c, err := client.New(client.Config{Servers: []ring.Server{{Name: p.Addr}}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return start(c, max(rate/10, 20), 50)
}

// table is Markdown: a line for each client.
func table(t *testing.T, lanes []*lane, began, healed time.Time) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| client | failed/ops | last failed after the fault (s) | worst ms | stale reads after the heal |\n|---|---|---|---|---|\n")
	row := func(cells ...any) { fmt.Fprintf(&b, "| %v | %v | %v | %v | %v |\n", cells...) }
	missing := true
	for _, l := range lanes {
		missing = missing && l.name != viaNutcracker
		end := time.Now()
		r := l.book.between(began, end)
		failed := fmt.Sprintf("%d/%d", r.failed, r.ops)
		if r.excused > 0 {
			failed += fmt.Sprintf(" (and %d as the machine stood still)", r.excused)
		}
		row(l.name, failed, l.lastFailed(began, healed), r.worst.Milliseconds(), l.book.between(healed, end).stale)
	}
	if missing {
		row(viaNutcracker, "nutcracker is not installed", "", "", "")
	}
	return b.String()
}

// lastFailed says when the last request was due that failed. A client that fails
// to the last second of the fault is only saved by its end.
func (l *lane) lastFailed(began, healed time.Time) string {
	var last time.Time
	stuck := false
	for _, r := range l.book.results {
		if r.err == nil || r.due.Before(began) || l.book.calm.slowest(r) > standstill {
			continue
		}
		if r.due.After(last) {
			last = r.due
		}
		stuck = stuck || r.due.Before(healed) && healed.Sub(r.due) < time.Second
	}
	switch {
	case last.IsZero():
		return "none"
	case stuck:
		return fmt.Sprintf("never recovers (%.1f)", last.Sub(began).Seconds())
	default:
		return fmt.Sprintf("%.1f", last.Sub(began).Seconds())
	}
}

// leastBeside returns the least, over the requests that failed, of what the slowest
// request beside took: much, where the machine stood still during all of them.
func (l *lane) leastBeside(began time.Time) time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, r := range l.book.results {
		if r.err != nil && !r.due.Before(began) {
			least = min(least, l.book.calm.slowest(r))
		}
	}
	return least
}
