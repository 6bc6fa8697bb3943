package mctest_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// statNames returns the names of a stats reply, in order.
func statNames(reply string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^STAT (\S+) `).FindAllStringSubmatch(reply, -1) {
		names = append(names, m[1])
	}
	return names
}

func TestStatsHaveTheNamesOfTheRealOnes(t *testing.T) {
	real := dialTalker(t, realMemcached(t))
	ours := dialTalker(t, mctest.Start(t).Addr())
	want, got := statNames(real.ask("stats\r\n")), statNames(ours.ask("stats\r\n"))
	if len(want) < 50 || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("stats\n got %v\nwant %v", got, want)
	}
	known := strings.Join(statNames(real.ask("stats settings\r\n")), " ") + " "
	for _, name := range statNames(ours.ask("stats settings\r\n")) {
		if !strings.Contains(known, name+" ") {
			t.Errorf("stats settings: memcached has no %q", name)
		}
	}
}

func TestItemsAreInTheSlabClassesOfTheRealOnes(t *testing.T) {
	real := dialTalker(t, realMemcached(t))
	ours := dialTalker(t, mctest.Start(t).Addr())
	for size := 1; size < 1_040_000; size += size/7 + 1 {
		for _, k := range []*talker{real, ours} {
			k.ask(fmt.Sprintf("set k%d 0 0 %d\r\n%s\r\n", size, size, strings.Repeat("x", size)))
		}
		ask := fmt.Sprintf("me k%d\r\n", size)
		if want, got := normal(real.ask(ask)), normal(ours.ask(ask)); got != want {
			t.Errorf("size %d: got %q, want %q", size, got, want)
		}
	}
}

func TestStatsOfItemsAndSlabs(t *testing.T) {
	k := dialTalker(t, mctest.Start(t).Addr())
	k.ask("set a 0 0 1\r\n1\r\nset b 0 0 1\r\n1\r\nset c 0 0 200\r\n" + strings.Repeat("x", 200) + "\r\n")
	for ask, want := range map[string]string{
		"stats items\r\n": "STAT items:1:number 2\r\nSTAT items:1:mem_requested 122\r\n" +
			"STAT items:6:number 1\r\nSTAT items:6:mem_requested 260\r\nEND\r\n",
		"stats slabs\r\n": "STAT 1:chunk_size 96\r\nSTAT 1:used_chunks 2\r\n" +
			"STAT 6:chunk_size 304\r\nSTAT 6:used_chunks 1\r\n" +
			"STAT active_slabs 2\r\nSTAT total_malloced 2097152\r\nEND\r\n",
	} {
		if got := k.ask(ask); got != want {
			t.Errorf("%q\n got %q\nwant %q", ask, got, want)
		}
	}
	if got := k.ask("stats conns\r\n"); !strings.Contains(got, k.nc.LocalAddr().String()) {
		t.Errorf("stats conns does not know us: %q", got)
	}
}

func TestStatsTellTheTime(t *testing.T) {
	clock := newFakeClock()
	srv := mctest.Start(t, mctest.Config{Clock: clock.Now, Version: "1.5.22"})
	k := &talker{t: t, nc: dialTalker(t, srv.Addr()).nc}
	clock.Advance(100 * time.Second)
	k.send("stats\r\n")
	got := k.until("END\r\n")
	for _, want := range []string{
		"STAT uptime 100\r\n", fmt.Sprintf("STAT time %d\r\n", clock.Now().Unix()),
		fmt.Sprintf("STAT pid %d\r\n", srv.Stats().PID), "STAT version 1.5.22\r\n", "STAT curr_connections 1\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestCountersAreExactWhenTheReplyIsThere(t *testing.T) {
	srv := mctest.Start(t)
	k := dialTalker(t, srv.Addr())
	for i := range uint64(50) {
		k.ask("set a 0 0 1\r\n1\r\nmg a v\r\nget a nope\r\nfoo\r\n")
		s := srv.Stats()
		n := i + 1
		want := map[string]uint64{"set": n, "mg": n, "get": n, "other": n, "md": n}
		if fmt.Sprint(s.Commands) != fmt.Sprint(want) || s.Gets != 3*n || s.GetHits != 2*n || s.GetMisses != n || s.Sets != n {
			t.Fatalf("after %d rounds: %+v", n, s)
		}
	}
	k.ask("stats reset\r\n")
	if s := srv.Stats(); s.Gets != 0 || s.Commands["md"] != 1 || s.Conns != 1 || s.Items != 1 {
		t.Errorf("after stats reset: %+v", s)
	}
}
