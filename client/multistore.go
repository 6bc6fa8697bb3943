package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

const (
	window  = 1024 // requests under way at once for one call
	workers = 32   // goroutines for those whose server does not answer
)

// SetMulti stores the items, many at a time and in no order. The error joins one
// *OpError for each item that was not stored; its Key says which.
func (c *Client) SetMulti(ctx context.Context, items []*Item) error {
	for _, item := range items {
		if proto.CheckKey(item.Key) != nil {
			return ErrMalformedKey
		}
	}
	return c.many(ctx, len(items), func(i int) *call {
		k := c.newCall(proto.OpSet, items[i].Key)
		k.Value, k.Flags = items[i].Value, items[i].Flags
		k.expiring(items[i].Expiration)
		return k
	})
}

// DeleteMulti deletes the keys, many at a time and in no order. A key that is not
// there is no error. The error joins one *OpError for each key that may still be
// there; its Key says which.
func (c *Client) DeleteMulti(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if proto.CheckKey(key) != nil {
			return ErrMalformedKey
		}
	}
	return c.many(ctx, len(keys), func(i int) *call { return c.newCall(proto.OpDelete, keys[i]) })
}

// many carries out n operations, of which next makes one after the other.
func (c *Client) many(ctx context.Context, n int, next func(int) *call) error {
	m := many{c: c, ctx: ctx, deadline: c.deadline(ctx, 0)}
	for from := 0; from < n; from += window {
		m.window(min(window, n-from), func(i int) *call { return next(from + i) })
	}
	return errors.Join(m.failures...)
}

// many is the operations of one call that go out together.
type many struct {
	c        *Client
	ctx      context.Context
	deadline time.Time

	mu       sync.Mutex // guards the field below
	failures []error
}

// window carries out n operations.
func (m *many) window(n int, next func(int) *call) {
	ways := make([]detour, n)
	snap := m.c.snap.Load()
	var hard []*detour // those that home has not answered
	for i := range ways {
		d := &ways[i]
		k := next(i)
		home := snap.servers[snap.home(k.Key)]
		*d = detour{c: m.c, ctx: m.ctx, snap: snap, k: k, home: home, deadline: m.deadline}
		if !home.careful.Load() || home.serves(k.Key, snap) == atHome {
			d.at = home
			d.prepare(home, d.first())
			home.pool.Push(m.ctx, &k.Request)
		} else {
			hard = append(hard, d)
		}
	}
	for i := range ways {
		ways[i].k.Flush(i == 0)
	}
	for i := range ways {
		d := &ways[i]
		if d.at == nil {
			continue
		}
		switch d.err = d.at.pool.Wait(&d.k.Request); {
		case d.err != nil:
			hard = append(hard, d)
		case d.home.careful.Load():
			d.answered()
		}
	}
	m.finish(hard)
	for i := range ways {
		m.c.free(ways[i].k)
	}
}

// finish carries out the operations that need a detour, some at a time.
func (m *many) finish(hard []*detour) {
	if len(hard) == 0 {
		return
	}
	todo := make(chan *detour)
	var all sync.WaitGroup
	for range min(workers, len(hard)) {
		all.Go(func() {
			for d := range todo {
				if err := d.run(); err != nil {
					m.mu.Lock()
					m.failures = append(m.failures, err)
					m.mu.Unlock()
				}
			}
		})
	}
	for _, d := range hard {
		todo <- d
	}
	close(todo)
	all.Wait()
}
