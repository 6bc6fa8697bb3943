package client

import (
	"context"
	"testing"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/ring"
)

// BenchmarkRoute is what the client adds to pool.Do on the ordinary way.
func BenchmarkRoute(b *testing.B) {
	c, err := New(Config{Servers: []ring.Server{{Name: "127.0.0.1:1"}, {Name: "127.0.0.1:2"}, {Name: "127.0.0.1:3"}}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		k := c.newCall(proto.OpGet, "some:key:12345678")
		snap := c.snap.Load()
		home := snap.servers[snap.home(k.Key)]
		_ = home.careful.Load()
		k.Timeout = c.attemptTimeout(ctx)
		c.free(k)
	}
}
