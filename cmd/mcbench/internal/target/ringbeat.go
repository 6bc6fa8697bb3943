package target

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/pool"
)

// Ringbeat makes requests through this project's client.
type Ringbeat struct {
	c     *client.Client
	items sync.Pool // of *client.Item, so that a set costs no allocation of ours
}

// NewRingbeat returns a ringbeat client with its default settings, but for the number of
// connections and the budget of a call.
func NewRingbeat(o Options) (*Ringbeat, error) {
	c, err := client.New(client.Config{
		Servers: o.Servers, Layout: o.Layout, Timeout: o.Timeout,
		Pool:    pool.Config{Conns: o.Pool},
		OnEvent: func(e client.Event) { tell(o.OnEvent, e) },
	})
	if err != nil {
		return nil, err
	}
	return &Ringbeat{c: c, items: sync.Pool{New: func() any { return new(client.Item) }}}, nil
}

// tell puts a client's event into the words of the timeline.
func tell(to func(at time.Time, server, what, state string), e client.Event) {
	switch e.Kind {
	case client.Transition:
		what, state := e.To.String()+": "+string(e.Reason), e.To.String()
		switch {
		case e.To == heartbeat.Healthy:
			state, what = "up", "back: "+string(e.Reason)
			if e.From == heartbeat.Suspect {
				what = "cleared: " + string(e.Reason)
			}
		case e.To == heartbeat.Suspect && e.Mode != "":
			what += ", " + e.Mode
		case e.To == heartbeat.Ejected && e.Moved > 0:
			what += fmt.Sprintf(", %.0f %% of the keys moved", 100*e.Moved)
		}
		to(e.At, e.Server, what, state)
	case client.LocalFault:
		what := "all servers lost at once: the fault is ours"
		if !e.On {
			what = "servers answer again"
		}
		to(e.At, "", what, "")
	case client.HintOverflow, client.HintsDropped:
		to(e.At, e.Server, fmt.Sprintf("%s: %d", e.Kind, e.Hints), "")
	}
}

// Get appends the key's value to dst.
func (r *Ringbeat) Get(key string, dst []byte) ([]byte, error) {
	return r.c.GetInto(context.Background(), key, dst)
}

// GetMulti calls visit for each value that arrived.
func (r *Ringbeat) GetMulti(keys []string, visit func(i int, value []byte)) error {
	items, err := r.c.GetMulti(context.Background(), keys)
	for i, k := range keys {
		if it := items[k]; it != nil {
			visit(i, it.Value)
		}
	}
	return err
}

// store calls one of the client's operations on an item that is given back afterwards.
func (r *Ringbeat) store(op func(context.Context, *client.Item) error, key string, value []byte, ttl int32) error {
	it := r.items.Get().(*client.Item)
	it.Key, it.Value, it.Expiration = key, value, ttl
	err := op(context.Background(), it)
	*it = client.Item{}
	r.items.Put(it)
	return err
}

// Set stores a value.
func (r *Ringbeat) Set(key string, value []byte, ttl int32) error {
	return r.store(r.c.Set, key, value, ttl)
}

// Add stores a value if the key has none.
func (r *Ringbeat) Add(key string, value []byte, ttl int32) error {
	return r.store(r.c.Add, key, value, ttl)
}

// Delete removes a key.
func (r *Ringbeat) Delete(key string) error { return r.c.Delete(context.Background(), key) }

// Increment adds delta to a number.
func (r *Ringbeat) Increment(key string, delta uint64) (uint64, error) {
	return r.c.Increment(context.Background(), key, delta)
}

// Touch gives a key a new lifetime.
func (r *Ringbeat) Touch(key string, ttl int32) error {
	return r.c.Touch(context.Background(), key, time.Duration(ttl)*time.Second)
}

// Swap reads a key and stores value under its CAS token.
func (r *Ringbeat) Swap(key string, value []byte, ttl int32) error {
	it, err := r.c.Get(context.Background(), key)
	if err != nil {
		return err
	}
	it.Value, it.Expiration = value, ttl
	return r.c.CompareAndSwap(context.Background(), it)
}

// Close closes all connections.
func (r *Ringbeat) Close() error {
	r.c.Close()
	return nil
}
