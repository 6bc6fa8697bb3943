package mctest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

func TestEndlessLinesAreCutOffUnlessTheyAreGets(t *testing.T) {
	for name, addr := range map[string]string{"memcached": realMemcached(t), "mctest": mctest.Start(t).Addr()} {
		t.Run(name, func(t *testing.T) {
			k := dialTalker(t, addr)
			k.send("mg " + strings.Repeat("x", 3000))
			k.expectEnd(nil)
			for _, cmd := range []string{"get", "gets"} {
				k = dialTalker(t, addr)
				k.send(cmd + strings.Repeat(" key", 30_000))
				k.expectSilence()
				k.send("\r\n")
				k.expect("END\r\n")
			}
		})
	}
}

func TestTooManyConnectionsAreTurnedAway(t *testing.T) {
	srv := mctest.Start(t, mctest.Config{MaxConns: 2})
	a, b := dialTalker(t, srv.Addr()), dialTalker(t, srv.Addr())
	a.ask("version\r\n")
	b.ask("version\r\n")
	extra := dialTalker(t, srv.Addr())
	extra.expect("ERROR Too many open connections\r\n")
	extra.expectEnd(nil)
	if s := srv.Stats(); s.Conns != 2 || s.TotalConns != 2 || s.RejectedConns != 1 {
		t.Errorf("%+v", s)
	}
	_ = a.nc.Close()
	waitFor(t, func() bool { return srv.Stats().Conns == 1 })
	dialTalker(t, srv.Addr()).ask("version\r\n")
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true, IdleTimeout: time.Minute})
		k := pipeTalker(t, srv)
		for range 3 {
			time.Sleep(59 * time.Second)
			if got := k.ask("get a\r\n"); got != "END\r\n" {
				t.Fatalf("got %q", got)
			}
		}
		start := time.Now()
		_ = k.nc.SetReadDeadline(time.Time{})
		if n, err := k.nc.Read(make([]byte, 1)); err == nil || time.Since(start) != time.Minute {
			t.Errorf("read %d, %v after %v", n, err, time.Since(start))
		}
		if s := srv.Stats(); s.IdleKicks != 1 {
			t.Errorf("%d idle kicks, want 1", s.IdleKicks)
		}
	})
}

func TestMemoryIsBoundedAndTheLeastRecentlyUsedGoes(t *testing.T) {
	srv := mctest.Start(t, mctest.Config{MaxBytes: 100 * 1060})
	k := dialTalker(t, srv.Addr())
	value := strings.Repeat("x", 1000)
	for i := range 150 {
		k.ask(fmt.Sprintf("set key%03d 0 0 1000\r\n%s\r\nget key000\r\n", i, value))
	}
	s := srv.Stats()
	if s.Bytes > 100*1060 || s.Items != 99 || s.Evictions != 51 {
		t.Errorf("%d items, %d bytes, %d evictions", s.Items, s.Bytes, s.Evictions)
	}
	for key, want := range map[string]bool{"key000": true, "key001": false, "key051": false, "key052": true, "key149": true} {
		if _, ok := srv.Value(key); ok != want {
			t.Errorf("%s is there: %v, want %v", key, ok, want)
		}
	}
}

func TestItemLimitIsConfigurable(t *testing.T) {
	srv := mctest.Start(t, mctest.Config{MaxItemSize: 2048})
	k := dialTalker(t, srv.Addr())
	for size, want := range map[int]string{2048 - 60: "STORED\r\n", 2048 - 59: "SERVER_ERROR object too large for cache\r\n"} {
		if got := k.ask(fmt.Sprintf("set k 0 0 %d\r\n%s\r\n", size, strings.Repeat("x", size))); got != want {
			t.Errorf("%d bytes: got %q, want %q", size, got, want)
		}
	}
}
