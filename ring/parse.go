package ring

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseServers reads a list such as
//
//	10.0.0.1:11211=2, cache2@10.0.0.2, [fd00::3]:11212, unix:/run/mc.sock
//
// Each entry is [name@]addr[=weight]; entries are separated by commas, with
// spaces around them if you like. A missing port is 11211, a missing weight 1,
// a missing name the address. The error names every bad entry at once and
// wraps ErrNoServers, ErrDuplicate, ErrBadName, ErrBadAddr or ErrBadWeight.
func ParseServers(s string) ([]Server, error) {
	if strings.TrimSpace(s) == "" {
		return nil, ErrNoServers
	}
	var errs []error
	var servers []Server
	for i, entry := range strings.Split(s, ",") {
		server, err := parseServer(strings.TrimSpace(entry))
		if err != nil {
			errs = append(errs, fmt.Errorf("server %d: %w", i+1, err))
		}
		servers = append(servers, server)
	}
	list, err := normalize(servers)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return list, nil
}

// parseServer takes one entry apart. What it cannot read it reports and leaves
// out; the rest of the entry is still checked by normalize.
func parseServer(entry string) (Server, error) {
	var s Server
	var nameErr, weightErr error
	if i := strings.LastIndexByte(entry, '='); i >= 0 {
		s.Weight, weightErr = parseWeight(entry[i+1:])
		entry = entry[:i]
	}
	// An abstract socket ("unix:@name") has an @ of its own.
	if name, addr, ok := strings.Cut(entry, "@"); ok && !strings.HasPrefix(entry, unixPrefix) {
		if name == "" {
			nameErr = fmt.Errorf("%w: nothing before the @ of %.60q", ErrBadName, entry)
		}
		s.Name, entry = name, addr
		if addr == "" {
			return s, errors.Join(fmt.Errorf("%w: nothing after the @ of %.60q", ErrBadAddr, name), nameErr, weightErr)
		}
	}
	s.Addr = entry
	return s, errors.Join(nameErr, weightErr)
}

func parseWeight(text string) (int, error) {
	w, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%w: %.20q is no whole number", ErrBadWeight, text)
	}
	return w, nil
}
