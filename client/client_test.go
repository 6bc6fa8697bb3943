package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/client/internal/realserver"
	"github.com/ringbeat/ringbeat/ring"
)

var ctx = context.Background()

// newClient returns a client of the given servers that ends with the test.
func newClient(t testing.TB, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%+v", c.Snapshot())
		}
		c.Close()
	})
	return c
}

// overReal returns a client of n real memcached.
func overReal(t testing.TB, n int) (*client.Client, []*realserver.Process) {
	t.Helper()
	// The tests of operations are not about time: on a busy machine even an idle
	// server can take longer than the default.
	return overRealWith(t, n, client.Config{Timeout: 4 * time.Second})
}

func overRealWith(t testing.TB, n int, cfg client.Config) (*client.Client, []*realserver.Process) {
	t.Helper()
	var servers []*realserver.Process
	for i := range n {
		p := realserver.Start(t)
		servers = append(servers, p)
		cfg.Servers = append(cfg.Servers, ring.Server{Name: fmt.Sprint("cache", i), Addr: p.Addr})
	}
	return newClient(t, cfg), servers
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func TestEveryOperationOnRealServers(t *testing.T) {
	c, _ := overReal(t, 3)
	for i := range 40 { // over all servers
		everyOperation(t, c, fmt.Sprintf("key:%d", i))
	}
	everyOperation(t, c, "ключ\x80\xff\xfe")
	everyOperation(t, c, string(bytes.Repeat([]byte("k"), 250)))
}

func everyOperation(t *testing.T, c *client.Client, key string) {
	t.Helper()
	item := func(v string) *client.Item { return &client.Item{Key: key, Value: []byte(v), Flags: 0xfffffffe} }
	value := func(want string) *client.Item {
		t.Helper()
		it, err := c.Get(ctx, key)
		must(t, err)
		if it.Key != key || string(it.Value) != want {
			t.Fatalf("got %q = %q, want %q", it.Key, it.Value, want)
		}
		return it
	}
	_, err := c.Get(ctx, key)
	wantErr(t, err, client.ErrCacheMiss)
	wantErr(t, c.Replace(ctx, item("x")), client.ErrNotStored)
	wantErr(t, c.Append(ctx, item("x")), client.ErrNotStored)
	wantErr(t, c.CompareAndSwap(ctx, item("x")), client.ErrCacheMiss)
	wantErr(t, c.Delete(ctx, key), client.ErrCacheMiss)
	wantErr(t, c.Touch(ctx, key, time.Minute), client.ErrCacheMiss)
	_, err = c.Increment(ctx, key, 1)
	wantErr(t, err, client.ErrCacheMiss)

	must(t, c.Add(ctx, item("one")))
	wantErr(t, c.Add(ctx, item("two")), client.ErrNotStored)
	if it := value("one"); it.Flags != 0xfffffffe {
		t.Fatalf("flags %#x", it.Flags)
	}
	must(t, c.Append(ctx, item(">")))
	must(t, c.Prepend(ctx, item("<")))
	value("<one>")
	must(t, c.Replace(ctx, item("two")))
	must(t, c.Touch(ctx, key, time.Hour))
	it, err := c.GetAndTouch(ctx, key, 2*time.Hour)
	must(t, err)
	it.Value = []byte("three")
	must(t, c.CompareAndSwap(ctx, it))
	wantErr(t, c.CompareAndSwap(ctx, it), client.ErrCASConflict)
	value("three")
	must(t, c.Set(ctx, item("41")))
	counts(t, c, key)
	got, err := c.GetInto(ctx, key, []byte("n="))
	must(t, err)
	if string(got) != "n=40" {
		t.Fatalf("GetInto: %q", got)
	}
	must(t, c.Set(ctx, &client.Item{Key: key}))
	value("")
	must(t, c.Delete(ctx, key))
	got, err = c.GetInto(ctx, key, []byte("same"))
	wantErr(t, err, client.ErrCacheMiss)
	if string(got) != "same" {
		t.Fatalf("GetInto after a miss: %q", got)
	}
}

func counts(t *testing.T, c *client.Client, key string) {
	t.Helper()
	n, err := c.Increment(ctx, key, 1)
	must(t, err)
	if n != 42 {
		t.Fatalf("incremented to %d", n)
	}
	n, err = c.Decrement(ctx, key, 2)
	must(t, err)
	if n != 40 {
		t.Fatalf("decremented to %d", n)
	}
}

func TestMultiOperationsOnRealServers(t *testing.T) {
	c, _ := overReal(t, 3)
	var items []*client.Item
	var keys []string
	for i := range 3000 {
		keys = append(keys, fmt.Sprint("k", i))
		items = append(items, &client.Item{Key: keys[i], Value: []byte(fmt.Sprint("v", i)), Flags: uint32(i)})
	}
	must(t, c.SetMulti(ctx, items[:2000]))
	found, err := c.GetMulti(ctx, append(keys, keys[0]))
	must(t, err)
	if len(found) != 2000 {
		t.Fatalf("%d items found, want 2000", len(found))
	}
	for i, it := range items[:2000] {
		got := found[it.Key]
		if got == nil || got.Key != keys[i] || string(got.Value) != string(it.Value) || got.Flags != it.Flags || got.CasID == 0 {
			t.Fatalf("%q: %+v, want %+v", keys[i], got, it)
		}
	}
	must(t, c.DeleteMulti(ctx, keys[:1999]))
	found, err = c.GetMulti(ctx, keys)
	must(t, err)
	if len(found) != 1 || found["k1999"] == nil {
		t.Fatalf("after the deletes: %d items", len(found))
	}
	if found, err = c.GetMulti(ctx, nil); err != nil || found == nil || len(found) != 0 {
		t.Fatalf("of no keys: %v, %v", found, err)
	}
}

func TestBigValues(t *testing.T) {
	c, _ := overRealWith(t, 2, client.Config{Timeout: 5 * time.Second})
	big := bytes.Repeat([]byte("0123456789abcdef"), 60_000)
	for i := range 8 {
		key := fmt.Sprint("big", i)
		must(t, c.Set(ctx, &client.Item{Key: key, Value: big}))
		it, err := c.Get(ctx, key)
		must(t, err)
		if !bytes.Equal(it.Value, big) {
			t.Fatalf("%d bytes came back, not what was sent", len(it.Value))
		}
	}
	over := &client.Item{Key: "over", Value: make([]byte, 2<<20)}
	err := c.Set(ctx, over)
	var failed *client.OpError
	if !errors.As(err, &failed) || !errors.Is(err, client.ErrServerError) || failed.Key != "over" || client.SafeToRetry(err) {
		t.Fatalf("set of 2 MiB: %v", err)
	}
	for i := range 8 { // on whatever connection: it goes on
		_, err := c.Get(ctx, fmt.Sprint("big", i))
		must(t, err)
	}
}

func TestExpiry(t *testing.T) {
	c, _ := overReal(t, 1)
	must(t, c.Set(ctx, &client.Item{Key: "a", Value: []byte("x"), Expiration: -1}))
	_, err := c.Get(ctx, "a")
	wantErr(t, err, client.ErrCacheMiss)
	must(t, c.Set(ctx, &client.Item{Key: "b", Value: []byte("x"), Expiration: client.Exptime(60 * 24 * time.Hour)}))
	must(t, c.Set(ctx, &client.Item{Key: "c", Value: []byte("x")}))
	for _, key := range []string{"b", "c"} {
		_, err := c.Get(ctx, key)
		must(t, err)
	}
	must(t, c.Touch(ctx, "c", -time.Second))
	_, err = c.Get(ctx, "c")
	wantErr(t, err, client.ErrCacheMiss)
	stats, err := c.Stats(ctx, "")
	must(t, err)
	if stats["cache0"]["pid"] == "" {
		t.Fatalf("stats: %v", stats)
	}
}

func TestMalformedKeysSendNothing(t *testing.T) {
	c, _ := overReal(t, 1)
	must(t, c.Ping(ctx))
	before := c.Servers()[0].Pool.Requests
	for _, key := range []string{"", string(make([]byte, 251)), "a b", "a\n", "a\x00", "a\x7f", "a\r\nflush_all"} {
		item := &client.Item{Key: key, Value: []byte("x")}
		_, err := c.Get(ctx, key)
		wantErr(t, err, client.ErrMalformedKey)
		_, err = c.GetInto(ctx, key, nil)
		wantErr(t, err, memcache.ErrMalformedKey)
		_, err = c.GetMulti(ctx, []string{"fine", key})
		wantErr(t, err, client.ErrMalformedKey)
		_, err = c.GetAndTouch(ctx, key, time.Second)
		wantErr(t, err, client.ErrMalformedKey)
		for _, store := range []func(context.Context, *client.Item) error{c.Set, c.Add, c.Replace, c.Append, c.Prepend, c.CompareAndSwap} {
			wantErr(t, store(ctx, item), client.ErrMalformedKey)
		}
		wantErr(t, c.SetMulti(ctx, []*client.Item{{Key: "fine"}, item}), client.ErrMalformedKey)
		wantErr(t, c.Delete(ctx, key), client.ErrMalformedKey)
		wantErr(t, c.DeleteMulti(ctx, []string{"fine", key}), client.ErrMalformedKey)
		wantErr(t, c.Touch(ctx, key, time.Second), client.ErrMalformedKey)
		_, err = c.Increment(ctx, key, 1)
		wantErr(t, err, client.ErrMalformedKey)
	}
	if after := c.Servers()[0].Pool.Requests; after != before {
		t.Errorf("%d requests were sent", after-before)
	}
}

func TestAdministrationReachesEveryServer(t *testing.T) {
	c, _ := overReal(t, 3)
	must(t, c.Ping(ctx))
	versions, err := c.Version(ctx)
	must(t, err)
	if len(versions) != 3 || versions["cache1"] == "" {
		t.Errorf("versions: %v", versions)
	}
	stats, err := c.Stats(ctx, "settings")
	must(t, err)
	if len(stats) != 3 || stats["cache2"]["maxconns"] == "" {
		t.Errorf("stats settings: %v", stats)
	}
	for i := range 30 {
		must(t, c.Set(ctx, &client.Item{Key: fmt.Sprint(i), Value: []byte("x")}))
	}
	must(t, c.FlushAll(ctx))
	for i := range 30 {
		_, err := c.Get(ctx, fmt.Sprint(i))
		wantErr(t, err, client.ErrCacheMiss)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	c, _ := overReal(t, 2)
	must(t, c.Ping(ctx))
	c.Close()
	_, err := c.Get(ctx, "key")
	wantErr(t, err, client.ErrClosed)
	_, err = c.GetMulti(ctx, []string{"a", "b"})
	wantErr(t, err, client.ErrClosed)
	wantErr(t, c.Set(ctx, &client.Item{Key: "key"}), client.ErrClosed)
	wantErr(t, c.AddServer(ring.Server{Name: "other:1"}), client.ErrClosed)
	c.Close()
}
