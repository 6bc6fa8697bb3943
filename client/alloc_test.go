//go:build !race

package client_test

import (
	"fmt"
	"testing"

	"github.com/ringbeat/ringbeat/client"
)

// Bounds, not goals: what the hot paths may allocate. The race detector makes
// sync.Pool forget at random.

func TestHotPathAllocations(t *testing.T) {
	c, _ := overReal(t, 3)
	item := &client.Item{Key: "key", Value: []byte("some value of middling length")}
	must(t, c.Set(ctx, item))
	buf := make([]byte, 0, 64)
	for _, way := range []struct {
		name string
		most float64
		do   func() error
	}{
		{"Set", 0, func() error { return c.Set(ctx, item) }},
		{"GetInto", 0, func() error { _, err := c.GetInto(ctx, "key", buf); return err }},
		{"Get", 1, func() error { _, err := c.Get(ctx, "key"); return err }},
		{"Touch", 0, func() error { return c.Touch(ctx, "key", 0) }},
	} {
		if got := testing.AllocsPerRun(500, func() { must(t, way.do()) }); got > way.most {
			t.Errorf("%s allocates %v times, at most %v", way.name, got, way.most)
		}
	}
}

func TestGetMultiAllocatesLittle(t *testing.T) {
	c, _ := overReal(t, 3)
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprint("k", i))
		must(t, c.Set(ctx, &client.Item{Key: keys[i], Value: []byte("some value")}))
	}
	get := func() {
		found, err := c.GetMulti(ctx, keys)
		must(t, err)
		if len(found) != len(keys) {
			t.Fatalf("%d items", len(found))
		}
	}
	const most = 20 // the map, the slab of items, what the legs gather; legs share their values
	if got := testing.AllocsPerRun(200, get); got > most {
		t.Errorf("GetMulti of %d keys allocates %v times", len(keys), got)
	}
}

func BenchmarkGet(b *testing.B) {
	c, _ := overReal(b, 3)
	must(b, c.Set(ctx, &client.Item{Key: "key", Value: make([]byte, 100)}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Get(ctx, "key"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetMulti(b *testing.B) {
	for _, n := range []int{3, 30, 300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, _ := overReal(b, 3)
			var keys []string
			for i := range n {
				keys = append(keys, fmt.Sprint("k", i))
				must(b, c.Set(ctx, &client.Item{Key: keys[i], Value: make([]byte, 100)}))
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.GetMulti(ctx, keys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
