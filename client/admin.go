package client

import (
	"context"
	"errors"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
)

// FlushAll makes every server forget all items. The error joins one *OpError for
// each server that did not; what an ejected server holds comes back with it.
func (c *Client) FlushAll(ctx context.Context) error {
	return c.everywhere(ctx, proto.OpFlushAll, "", func(*server, *proto.Reply) {})
}

// Ping asks every server for a sign of life. The error joins one *OpError for each
// server that gave none; an ejected one is not asked.
func (c *Client) Ping(ctx context.Context) error {
	return c.everywhere(ctx, proto.OpPing, "", func(*server, *proto.Reply) {})
}

// Version returns the versions of the servers that answered, by ring name. The
// error joins one *OpError for each of the others.
func (c *Client) Version(ctx context.Context) (map[string]string, error) {
	versions := make(map[string]string)
	err := c.everywhere(ctx, proto.OpVersion, "", func(s *server, r *proto.Reply) { versions[s.Name] = r.Admin.Version })
	return versions, err
}

// Stats returns the statistics of the servers that answered, by ring name. arg is
// "" for the general ones, or "items", "slabs", ... as in memcached's protocol.
// The error joins one *OpError for each of the others.
func (c *Client) Stats(ctx context.Context, arg string) (map[string]map[string]string, error) {
	stats := make(map[string]map[string]string)
	err := c.everywhere(ctx, proto.OpStats, arg, func(s *server, r *proto.Reply) {
		m := make(map[string]string, len(r.Admin.Stats))
		for _, pair := range r.Admin.Stats {
			m[pair[0]] = pair[1]
		}
		stats[s.Name] = m
	})
	return stats, err
}

// everywhere asks all servers that are not ejected, at the same time.
func (c *Client) everywhere(ctx context.Context, op proto.Op, arg string, use func(*server, *proto.Reply)) error {
	snap := c.snap.Load()
	requests := make([]pool.Request, len(snap.servers))
	var errs []error
	for i, s := range snap.servers {
		if !snap.modes[i].open() {
			errs = append(errs, opError(op, s, "", ErrServerDown))
			continue
		}
		r := &requests[i]
		r.Op, r.Key, r.Timeout = op, arg, c.cfg.Timeout
		s.pool.Start(ctx, r)
	}
	for i, s := range snap.servers {
		if !snap.modes[i].open() {
			continue
		}
		if err := s.pool.Wait(&requests[i]); err != nil {
			errs = append(errs, opError(op, s, "", err))
		} else {
			use(s, &requests[i].Reply)
		}
	}
	return errors.Join(errs...)
}
