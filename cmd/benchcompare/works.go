package main

import (
	"context"
	"fmt"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/ring"
)

// work is one row group of the table.
type work struct {
	name       string
	goroutines []int
	servers    int
	size       int
	rate       float64 // requests per second in an open loop; 0: closed loop
	// op returns one operation of goroutine i for either side.
	gomemcache func(c *memcache.Client, i int) func() error
	ringbeat   func(c *client.Client, i int) func() error
	ceiling    ceiling // the other side is the blaster
}

// ceiling is how the blaster asks.
type ceiling uint8

const (
	noCeiling ceiling = iota
	byCommand         // an mg command for each get
	byLine            // gets lines with the keys of many, which ringbeat sends in a crowd
)

const numKeys = 3000

var keys = func() []string {
	k := make([]string, numKeys)
	for i := range k {
		k[i] = fmt.Sprintf("bench-key-%d", i)
	}
	return k
}()

func works() []work {
	return []work{
		get("get hit 100 B", 100, 1, 2, 8, 64, 256, 1024),
		set("set 100 B", 100, 1, 8, 64, 256),
		get("get hit 4 KiB", 4096, 1, 8, 64, 256),
		multi("GetMulti 10 keys 3 servers", 10, 1, 8, 64),
		multi("GetMulti 100 keys 3 servers", 100, 1, 8, 64),
		openLoop("open loop 20000/s get", 64),
		blaster("raw ceiling, mg commands", byCommand, 8, 64, 256),
		blaster("raw ceiling, gets lines", byLine, 64, 256),
	}
}

func get(name string, size int, goroutines ...int) work {
	return work{
		name: name, goroutines: goroutines, servers: 1, size: size,
		gomemcache: func(c *memcache.Client, i int) func() error {
			n := i * 7
			return func() error {
				n++
				_, err := c.Get(keys[n%numKeys])
				return err
			}
		},
		ringbeat: func(c *client.Client, i int) func() error {
			n, ctx := i*7, context.Background()
			return func() error {
				n++
				_, err := c.Get(ctx, keys[n%numKeys])
				return err
			}
		},
	}
}

func set(name string, size int, goroutines ...int) work {
	return work{
		name: name, goroutines: goroutines, servers: 1, size: size,
		gomemcache: func(c *memcache.Client, i int) func() error {
			n, item := i*7, &memcache.Item{Value: make([]byte, size)}
			return func() error {
				n++
				item.Key = keys[n%numKeys]
				return c.Set(item)
			}
		},
		ringbeat: func(c *client.Client, i int) func() error {
			n, item, ctx := i*7, &client.Item{Value: make([]byte, size)}, context.Background()
			return func() error {
				n++
				item.Key = keys[n%numKeys]
				return c.Set(ctx, item)
			}
		},
	}
}

func multi(name string, count int, goroutines ...int) work {
	pick := func(n *int) []string {
		*n = (*n + count) % (numKeys - count)
		return keys[*n : *n+count]
	}
	return work{
		name: name, goroutines: goroutines, servers: 3, size: 100,
		gomemcache: func(c *memcache.Client, i int) func() error {
			n := i * 7
			return func() error {
				items, err := c.GetMulti(pick(&n))
				return allHit(len(items), count, err)
			}
		},
		ringbeat: func(c *client.Client, i int) func() error {
			n, ctx := i*7, context.Background()
			return func() error {
				items, err := c.GetMulti(ctx, pick(&n))
				return allHit(len(items), count, err)
			}
		},
	}
}

func allHit(got, want int, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("%d of %d keys found", got, want)
	}
	return err
}

func openLoop(name string, goroutines ...int) work {
	w := get(name, 100, goroutines...)
	w.rate = 20000
	return w
}

func blaster(name string, how ceiling, goroutines ...int) work {
	w := get(name, 100, goroutines...)
	w.ceiling = how
	return w
}

// sides makes both clients for one cell, over the same servers.
func (w work) sides(f *fleet, goroutines int) (gomem *memcache.Client, rb *client.Client, err error) {
	addrs := f.addrs[:w.servers]
	gomem = memcache.New(addrs...)
	gomem.MaxIdleConns = goroutines
	gomem.Timeout = time.Second
	cfg := client.Config{}
	for _, addr := range addrs {
		cfg.Servers = append(cfg.Servers, ring.Server{Addr: addr})
	}
	if rb, err = client.New(cfg); err != nil {
		return nil, nil, err
	}
	// Each client places keys by its own rule: load them through both.
	ctx, value := context.Background(), make([]byte, w.size)
	for _, key := range keys {
		if err := gomem.Set(&memcache.Item{Key: key, Value: value}); err != nil {
			return nil, nil, err
		}
		if err := rb.Set(ctx, &client.Item{Key: key, Value: value}); err != nil {
			return nil, nil, err
		}
	}
	return gomem, rb, nil
}
