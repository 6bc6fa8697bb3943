package client

import (
	"context"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// Set stores the item, whether or not there is one. A nil error means that a
// server has stored it; after an error it may or may not have (OpError.Sent).
// The value must not be changed before Set returns.
func (c *Client) Set(ctx context.Context, item *Item) error {
	return c.store(ctx, proto.OpSet, item)
}

// Add stores the item if there is none with its key, otherwise it returns
// ErrNotStored.
func (c *Client) Add(ctx context.Context, item *Item) error {
	return c.store(ctx, proto.OpAdd, item)
}

// Replace stores the item if there is one with its key, otherwise it returns
// ErrNotStored.
func (c *Client) Replace(ctx context.Context, item *Item) error {
	return c.store(ctx, proto.OpReplace, item)
}

// Append adds the value to the end of the one there is; without one it returns
// ErrNotStored. Flags and Expiration of the item do not count.
func (c *Client) Append(ctx context.Context, item *Item) error {
	return c.store(ctx, proto.OpAppend, item)
}

// Prepend adds the value to the front of the one there is; without one it returns
// ErrNotStored. Flags and Expiration of the item do not count.
func (c *Client) Prepend(ctx context.Context, item *Item) error {
	return c.store(ctx, proto.OpPrepend, item)
}

// CompareAndSwap stores the item if nobody has stored one since it was read: item
// comes from Get, with Value, Flags or Expiration changed. It returns
// ErrCASConflict if somebody has, and ErrCacheMiss if there is none any more.
func (c *Client) CompareAndSwap(ctx context.Context, item *Item) error {
	return c.store(ctx, proto.OpCAS, item)
}

func (c *Client) store(ctx context.Context, op proto.Op, item *Item) error {
	k := c.newCall(op, item.Key)
	defer c.free(k)
	k.Value, k.Flags, k.CAS = item.Value, item.Flags, item.CasID
	k.expiring(item.Expiration)
	if err := c.do(ctx, k); err != nil {
		return err
	}
	return verdict(k.Reply.Status)
}

// Touch sets the remaining life of an item to ttl; 0 means forever. It returns
// ErrCacheMiss if there is no such item.
func (c *Client) Touch(ctx context.Context, key string, ttl time.Duration) error {
	k := c.newCall(proto.OpTouch, key)
	defer c.free(k)
	k.expiring(Exptime(ttl))
	if err := c.do(ctx, k); err != nil {
		return err
	}
	return verdict(k.Reply.Status)
}

// Delete deletes the item of key. It returns ErrCacheMiss if there was none.
func (c *Client) Delete(ctx context.Context, key string) error {
	k := c.newCall(proto.OpDelete, key)
	defer c.free(k)
	if err := c.do(ctx, k); err != nil {
		return err
	}
	return verdict(k.Reply.Status)
}

// Increment adds delta to the decimal number that is the item's value and returns
// the sum, which wraps at 64 bits. It returns ErrCacheMiss if there is no item.
func (c *Client) Increment(ctx context.Context, key string, delta uint64) (uint64, error) {
	return c.count(ctx, proto.OpIncrement, key, delta)
}

// Decrement subtracts delta from the decimal number that is the item's value and
// returns the rest, which stops at 0. It returns ErrCacheMiss if there is no item.
func (c *Client) Decrement(ctx context.Context, key string, delta uint64) (uint64, error) {
	return c.count(ctx, proto.OpDecrement, key, delta)
}

func (c *Client) count(ctx context.Context, op proto.Op, key string, delta uint64) (uint64, error) {
	k := c.newCall(op, key)
	defer c.free(k)
	k.Delta = delta
	if err := c.do(ctx, k); err != nil {
		return 0, err
	}
	return k.Reply.Number, verdict(k.Reply.Status)
}
