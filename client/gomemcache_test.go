package client_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
)

func TestGomemcacheSharesKeysWithUs(t *testing.T) {
	c, _ := overReal(t, 3)
	g := c.Gomemcache()
	defer g.Close()
	for i := range 50 {
		ours, theirs := fmt.Sprint("ours:", i), fmt.Sprint("theirs:", i)
		must(t, c.Set(ctx, &client.Item{Key: ours, Value: []byte("a"), Flags: 7}))
		must(t, g.Set(&memcache.Item{Key: theirs, Value: []byte("b"), Flags: 8}))
		it, err := g.Get(ours)
		must(t, err)
		if string(it.Value) != "a" || it.Flags != 7 {
			t.Fatalf("gomemcache read %+v", it)
		}
		it, err = c.Get(ctx, theirs)
		must(t, err)
		if string(it.Value) != "b" || it.Flags != 8 {
			t.Fatalf("read %+v", it)
		}
		it.Value = []byte("c")
		must(t, g.CompareAndSwap(it)) // the token is the server's, whoever read it
	}
	must(t, g.Ping())
	must(t, g.FlushAll())
	_, err := c.Get(ctx, "ours:1")
	wantErr(t, err, client.ErrCacheMiss)
}

func TestSelectorFollowsHealth(t *testing.T) {
	s := overTwo(t, client.Config{})
	sel := s.c.Selector()
	key := s.keys(1)[0]
	picked := func() string {
		t.Helper()
		addr, err := sel.PickServer(key)
		must(t, err)
		return addr.String()
	}
	each := func() (n int) {
		must(t, sel.Each(func(net.Addr) error { n++; return nil }))
		return n
	}
	if picked() != s.at["cache0"].Addr || each() != 2 {
		t.Errorf("picked %s of %d", picked(), each())
	}
	s.out()
	if picked() != s.at["cache1"].Addr || each() != 1 {
		t.Errorf("picked %s of %d while home is out", picked(), each())
	}
	s.back()
	if picked() != s.at["cache0"].Addr || each() != 2 {
		t.Errorf("picked %s of %d after the return", picked(), each())
	}
}

func TestSelectorFailsFast(t *testing.T) {
	s := overTwo(t, client.Config{OnEject: client.FailFast})
	must(t, s.c.Drain("cache0"))
	s.awaitMode("cache0", "down")
	_, err := s.c.Selector().PickServer(s.keys(1)[0])
	wantErr(t, err, client.ErrServerDown)
}
