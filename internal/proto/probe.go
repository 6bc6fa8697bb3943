package proto

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The requests of a heartbeat. version is known to every memcached since 1.2
// and to the proxies in front of it, and its answer cannot be taken for that of
// another protocol.
const (
	ProbeRequest      = "version\r\n"
	ProbeStatsRequest = "stats\r\n"
)

// Errors of a probe's reply.
var (
	// ErrNotMemcached means that something else listens on the server's port.
	ErrNotMemcached = errors.New("not memcached")
	// ErrAuth means that memcached refused the user name and password, or
	// wants some.
	ErrAuth = errors.New("authentication refused")
)

// maxProbeLine bounds one line of a probe's reply; memcached's own are far
// shorter.
const maxProbeLine = 1024

// maxProbeStats bounds the reply to stats; memcached 1.6 sends some 4 KiB.
const maxProbeStats = 64 << 10

// ProbeVersion looks for the whole reply to ProbeRequest in b. done is false
// while more is needed. What cannot become a good reply is an error at once,
// without waiting for the end of its line.
func ProbeVersion(b []byte) (version string, done bool, err error) {
	line, done, err := probeLine(b, "VERSION ")
	return line, done, err
}

// ProbeAuth looks for the whole reply to the request of AppendAuth in b.
func ProbeAuth(b []byte) (done bool, err error) {
	rest, done, err := probeLine(b, "STORED")
	if done && err == nil && rest != "" {
		return true, unexpected(b)
	}
	return done, err
}

// ProbeStats is what a heartbeat wants to know of a server's stats.
type ProbeStats struct {
	PID     int
	Started int64 // seconds since 1970 by the server's clock, 0 if not told
	Uptime  time.Duration
	Items   int64
}

// ParseProbeStats looks for the whole reply to ProbeStatsRequest in b. A server
// that answers with an error line does not have stats: that is an error too.
func ParseProbeStats(b []byte) (s ProbeStats, done bool, err error) {
	var now, uptime int64
	for rest := b; ; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			if len(b) > maxProbeStats {
				return ProbeStats{}, true, fmt.Errorf("%w: stats without an end", ErrNotMemcached)
			}
			return ProbeStats{}, false, nil
		}
		line := strings.TrimSuffix(string(rest[:end]), "\r")
		rest = rest[end+1:]
		if line == "END" {
			if len(rest) > 0 {
				return ProbeStats{}, true, unexpected(rest)
			}
			s.Uptime = time.Duration(uptime) * time.Second
			if now > 0 {
				s.Started = now - uptime
			}
			return s, true, nil
		}
		field := strings.Fields(line)
		if len(field) < 2 || field[0] != "STAT" {
			return ProbeStats{}, true, unexpected([]byte(line))
		}
		s.set(field[1:], &now, &uptime)
	}
}

// set takes over one pair of name and value. A value that is no number is left
// out: no field here is worth calling a server broken.
func (s *ProbeStats) set(field []string, now, uptime *int64) {
	if len(field) < 2 {
		return
	}
	n, err := strconv.ParseInt(field[1], 10, 64)
	if err != nil || n < 0 {
		return
	}
	switch field[0] {
	case "pid":
		s.PID = int(n)
	case "time":
		*now = n
	case "uptime":
		*uptime = min(n, 1<<32)
	case "curr_items":
		s.Items = n
	}
}

// probeLine looks for one line that begins with prefix and is all of b, and
// returns what follows the prefix.
func probeLine(b []byte, prefix string) (rest string, done bool, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		n := min(len(b), len(prefix))
		if string(b[:n]) == prefix[:n] && len(b) <= maxProbeLine {
			return "", false, nil
		}
		if len(b) <= maxProbeLine && memcachedError(b) {
			return "", false, nil
		}
		return "", true, unexpected(b)
	}
	line := strings.TrimSuffix(string(b[:end]), "\r")
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok || end+1 < len(b) {
		return "", true, unexpected(b)
	}
	return rest, true, nil
}

var memcachedErrors = [...]string{"ERROR", "CLIENT_ERROR", "SERVER_ERROR"}

// memcachedError reports whether b is, or may become, one of memcached's error
// lines.
func memcachedError(b []byte) bool {
	for _, e := range memcachedErrors {
		n := min(len(b), len(e))
		if string(b[:n]) == e[:n] {
			return true
		}
	}
	return false
}

// unexpected explains a reply that is not the expected one. It names the
// protocols that are met by mistake: a wrong port is found out by reading one
// log line.
func unexpected(b []byte) error {
	line, _, _ := bytes.Cut(b[:min(len(b), maxProbeLine)], []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case bytes.HasPrefix(line, []byte("CLIENT_ERROR unauth")), bytes.HasPrefix(line, []byte("CLIENT_ERROR auth")):
		return fmt.Errorf("%w: %.80q", ErrAuth, line)
	case memcachedError(line) && len(line) >= len("ERROR"):
		return fmt.Errorf("server replied %.80q", line)
	case bytes.HasPrefix(line, []byte("HTTP/")), bytes.HasPrefix(line, []byte("<")):
		return fmt.Errorf("%w: it speaks HTTP: %.80q", ErrNotMemcached, line)
	case len(line) > 0 && line[0] == 0x15:
		return fmt.Errorf("%w: it speaks TLS", ErrNotMemcached)
	case bytes.HasPrefix(line, []byte("-")), bytes.HasPrefix(line, []byte("+")):
		return fmt.Errorf("%w: it speaks the Redis protocol: %.80q", ErrNotMemcached, line)
	case bytes.HasPrefix(line, []byte("SSH-")):
		return fmt.Errorf("%w: it speaks SSH: %.80q", ErrNotMemcached, line)
	}
	return fmt.Errorf("%w: unexpected reply %.80q", ErrNotMemcached, line)
}
