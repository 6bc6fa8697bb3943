// Package bench conducts a run: it fills the servers, offers the load through one client or
// several side by side, breaks a server at its time, watches, and draws up the report.
package bench

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/inspect"
	"github.com/ringbeat/ringbeat/ring"
)

// Fleet is the servers of a run.
type Fleet struct {
	Servers  []ring.Server
	Ring     *ring.Ring
	Layout   ring.Layout
	Embedded bool // they live in this process
}

// NewFleet places keys on servers with the given layout.
func NewFleet(servers []ring.Server, layout ring.Layout) (*Fleet, error) {
	r, err := ring.New(layout, servers...)
	if err != nil {
		return nil, err
	}
	return &Fleet{Servers: r.Servers(), Ring: r, Layout: layout}, nil
}

// Home returns the number of a key's server.
func (f *Fleet) Home(key string) int { return f.Ring.Index(key) }

// Addrs returns the servers' addresses in their order.
func (f *Fleet) Addrs() []string {
	var out []string
	for _, s := range f.Servers {
		out = append(out, s.Addr)
	}
	return out
}

// Names returns the servers with their weights as they are written on the command line.
func (f *Fleet) Names() []string {
	var out []string
	for _, s := range f.Servers {
		name := s.Addr
		if s.Name != s.Addr {
			name = s.Name + "@" + s.Addr
		}
		out = append(out, fmt.Sprintf("%s=%d", name, s.Weight))
	}
	return out
}

// ErrNoServer reports that no server of the fleet answered.
var ErrNoServer = errors.New("no server answered")

// Ask asks every server for its version at once. It returns one error per server that did
// not answer as a memcached, by the server's number.
func (f *Fleet) Ask(timeout time.Duration) []error {
	errs := make([]error, len(f.Servers))
	var wg sync.WaitGroup
	for i, s := range f.Servers {
		wg.Go(func() { _, errs[i] = inspect.Version(s.Addr, timeout) })
	}
	wg.Wait()
	return errs
}

// Counters returns each server's stats; nil where a server did not answer.
func (f *Fleet) Counters(timeout time.Duration) []map[string]int64 {
	all := make([]map[string]int64, len(f.Servers))
	var wg sync.WaitGroup
	for i, s := range f.Servers {
		wg.Go(func() {
			if c, err := inspect.Counters(s.Addr, timeout); err == nil {
				all[i] = c
			}
		})
	}
	wg.Wait()
	return all
}

// Local tells whether any server runs on this machine.
func (f *Fleet) Local() bool {
	for _, s := range f.Servers {
		if isLocal(s.Addr) {
			return true
		}
	}
	return false
}

func isLocal(addr string) bool {
	if strings.HasPrefix(addr, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return ip.IsLoopback()
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return ip.IsLoopback()
}
