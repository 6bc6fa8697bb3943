package client

import (
	"github.com/ringbeat/ringbeat/ring"
)

// mode says how a server's own keys are served.
type mode uint8

const (
	serving   mode = iota // by the server
	returning             // by the server as far as the ramp has come, else as moved
	moved                 // by stand-ins
	down                  // by nobody: they fail fast
)

var modeNames = [...]string{"serving", "returning", "moved", "down"}

// String returns the mode in lower case.
func (m mode) String() string { return modeNames[m] }

// open reports whether requests may go to a server in this mode.
func (m mode) open() bool { return m <= returning }

// snapshot is an immutable topology + health view. Requests read one and never
// wait for a change; a change makes a new one.
type snapshot struct {
	epoch   uint64         // of the topology; only grows
	ring    *ring.Ring     // everybody who serves, healthy or not: says where home is
	view    *ring.Ring     // ring without the servers that are out: says who stands in
	servers []*server      // by ring.Index
	modes   []mode         // by ring.Index
	index   map[string]int // name -> ring.Index, for walks
	local   bool           // all fail at once: the fault is this process's own
}

// home returns the place of the server that key belongs to.
func (s *snapshot) home(key string) int { return s.ring.Index(key) }

// standIn returns the first server in the failover order of key that is open,
// has not been tried and holds no value there that a hint is to delete. It
// returns nil if there is none.
func (s *snapshot) standIn(key string, tried *trail) *server {
	if i := s.view.Index(key); i >= 0 && s.fits(i, key, tried) {
		return s.servers[i]
	}
	for member := range s.ring.Walk(key) {
		if i := s.index[member.Name]; s.fits(i, key, tried) {
			return s.servers[i]
		}
	}
	return nil
}

// anybody returns the first open server in the failover order of key, or nil.
func (s *snapshot) anybody(key string) *server {
	if i := s.view.Index(key); i >= 0 {
		return s.servers[i]
	}
	return nil
}

func (s *snapshot) fits(i int, key string, tried *trail) bool {
	return s.modes[i].open() && !tried.has(s.servers[i]) && !s.servers[i].hinted(key)
}

// modeOf returns the mode of a server, down for one that is no member.
func (s *snapshot) modeOf(of *server) mode {
	if i, ok := s.index[of.Name]; ok && s.servers[i] == of {
		return s.modes[i]
	}
	return down
}

// modeBefore is modeOf for a comparison with what comes next: who is new was
// never out.
func (s *snapshot) modeBefore(of *server) mode {
	if s == nil {
		return serving
	}
	if i, ok := s.index[of.Name]; ok && s.servers[i] == of {
		return s.modes[i]
	}
	return serving
}

// movedShare returns the share of all keys that stand-ins serve.
func (s *snapshot) movedShare() float64 {
	sum := 0.0
	for i, m := range s.modes {
		if m == moved {
			sum += s.ring.Share(s.servers[i].Name)
		}
	}
	return sum
}

// trail is the servers that a request has been to.
type trail struct {
	servers [maxTries]*server
	n       int
}

// maxTries bounds the servers that one request goes to.
const maxTries = 4

func (t *trail) add(s *server) {
	t.servers[t.n] = s
	t.n++
}

func (t *trail) has(s *server) bool {
	for _, known := range t.servers[:t.n] {
		if known == s {
			return true
		}
	}
	return false
}
