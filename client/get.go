package client

import (
	"context"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// Item is gomemcache's: Key, Value, Flags, Expiration in seconds as memcached
// takes it (see Exptime), and CasID, which Get fills in for CompareAndSwap.
type Item = memcache.Item

// Get returns the item of key. The error is ErrCacheMiss only where a server said
// that there is none; an outage is never a miss.
func (c *Client) Get(ctx context.Context, key string) (*Item, error) {
	k := c.newCall(proto.OpGet, key)
	defer c.free(k)
	return c.item(ctx, k)
}

// GetAndTouch is Get that sets the item's remaining life to ttl; 0 means forever.
func (c *Client) GetAndTouch(ctx context.Context, key string, ttl time.Duration) (*Item, error) {
	k := c.newCall(proto.OpGetAndTouch, key)
	defer c.free(k)
	k.expiring(Exptime(ttl))
	return c.item(ctx, k)
}

func (c *Client) item(ctx context.Context, k *call) (*Item, error) {
	if err := c.do(ctx, k); err != nil {
		return nil, err
	}
	if err := verdict(k.Reply.Status); err != nil {
		return nil, err
	}
	got := k.item
	if got == nil {
		got = new(Item)
	}
	got.Key, got.Value, got.Flags, got.CasID = k.Key, k.Reply.Value, k.Reply.Flags, k.Reply.CAS
	return got, nil
}

// GetInto appends the value of key to dst and returns the result, without
// allocating if it fits. After an error dst is returned as it was.
func (c *Client) GetInto(ctx context.Context, key string, dst []byte) ([]byte, error) {
	k := c.newCall(proto.OpGetInto, key)
	defer c.free(k)
	k.Dst = dst
	if err := c.do(ctx, k); err != nil {
		return dst, err
	}
	if err := verdict(k.Reply.Status); err != nil {
		return dst, err
	}
	return k.Reply.Value, nil
}
