package ring

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors of New, ParseServers and the edits. Compare with errors.Is; one error
// may wrap several.
var (
	ErrNoServers     = errors.New("ring: no servers")
	ErrUnknownLayout = errors.New("ring: unknown layout")
	ErrUnknownServer = errors.New("ring: unknown server")
	ErrDuplicate     = errors.New("ring: duplicate server name")
	ErrBadName       = errors.New("ring: bad server name")
	ErrBadAddr       = errors.New("ring: bad server address")
	ErrBadWeight     = errors.New("ring: bad server weight")
)

const (
	// maxNameBytes is what fits where others keep a name: a label of chashring
	// has a one-byte length, a DNS name ends at 255 too.
	maxNameBytes = 255
	// maxWeight leaves room for libketama's habit of giving the cache size in
	// megabytes (1 TiB).
	maxWeight = 1 << 20
	// maxPoints bounds a ring to 256 MiB of points, or 1,000 servers of weight
	// 100 in the default layout.
	maxPoints = 1 << 24
)

// Server is one memcached server.
type Server struct {
	// Name is the server's identity and the text that is hashed; "" means Addr.
	// Two servers of a ring never share a name. At most 255 bytes, no spaces.
	Name string
	// Addr is where the server is reached: "host:port", "[ipv6]:port" or
	// "unix:/path". A missing port means 11211, "" means Name. It may change
	// without moving a key as long as the name stays.
	Addr string
	// Weight is the server's share relative to the others; 0 means 1.
	Weight int
}

// normalize returns the servers with every default filled in, or one error
// that names all that is wrong with them.
func normalize(servers []Server) ([]Server, error) {
	if len(servers) == 0 {
		return nil, ErrNoServers
	}
	var errs []error
	list := make([]Server, len(servers))
	seen := make(map[string]int, len(servers))
	for i, s := range servers {
		var err error
		list[i], err = s.normal()
		if err != nil {
			errs = append(errs, fmt.Errorf("server %d: %w", i+1, err))
		}
		name := list[i].Name
		if first, ok := seen[name]; ok && name != "" {
			errs = append(errs, fmt.Errorf("server %d: %w: %.60q is server %d already", i+1, ErrDuplicate, name, first+1))
			continue
		}
		seen[name] = i
	}
	return list, errors.Join(errs...)
}

// normal returns s with its defaults filled in.
func (s Server) normal() (Server, error) {
	addr := s.Addr
	if addr == "" {
		addr = s.Name
	}
	addr, addrErr := normalAddr(addr)
	if addrErr == nil {
		s.Addr = addr
	}
	var nameErr error
	if s.Name == "" {
		s.Name = s.Addr
	}
	if s.Name != s.Addr || addrErr == nil { // else it is wrong once, as an address
		nameErr = checkName(s.Name)
	}
	if s.Weight == 0 {
		s.Weight = 1
	}
	return s, errors.Join(addrErr, nameErr, checkWeight(s.Weight))
}

func checkName(name string) error {
	switch {
	case len(name) > maxNameBytes:
		return fmt.Errorf("%w: %.60q... has %d bytes, at most %d", ErrBadName, name, len(name), maxNameBytes)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8", ErrBadName, name)
	case strings.ContainsFunc(name, isBlank):
		return fmt.Errorf("%w: %q has a space or a control character", ErrBadName, name)
	}
	return nil
}

func checkWeight(w int) error {
	if w < 0 || w > maxWeight {
		return fmt.Errorf("%w: %d is not between 0 and %d", ErrBadWeight, w, maxWeight)
	}
	return nil
}

func isBlank(c rune) bool {
	return unicode.IsSpace(c) || unicode.IsControl(c)
}
