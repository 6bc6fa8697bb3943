package target

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/ring"
)

// Options say how a client is set up. Every client gets the same servers and places the
// same keys on them.
type Options struct {
	Servers []ring.Server
	Home    func(key string) int // number of a key's server; safe for concurrent use
	Layout  ring.Layout          // the placement that Home follows
	Conns   int                  // idle connections per server of a client with a free pool
	Pool    int                  // connections per server of a client with a bounded pool
	Timeout time.Duration        // of one call

	// OnEvent is told what the client found out about a server: what happened, and the
	// server's state from now on ("" if it stays). It may be called from any goroutine.
	OnEvent func(at time.Time, server, what, state string)
}

// Names returns the clients that New knows.
func Names() []string { return []string{"ringbeat", "gomemcache", "shared-heartbeat"} }

// Check refuses a name that New does not know.
func Check(name string) error {
	if slices.Contains(Names(), name) {
		return nil
	}
	return fmt.Errorf("client %q: want one of %s", name, strings.Join(Names(), ", "))
}

// New sets up the client of that name.
func New(name string, o Options) (Client, error) {
	switch name {
	case "ringbeat":
		return NewRingbeat(o)
	case "gomemcache":
		var addrs []string
		for _, s := range o.Servers {
			addrs = append(addrs, s.Addr)
		}
		return NewGomemcache(addrs, o.Home, o.Conns, o.Timeout), nil
	case "shared-heartbeat":
		return NewShared(o)
	}
	return nil, Check(name)
}
