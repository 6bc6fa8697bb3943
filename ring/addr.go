package ring

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const (
	defaultPort = "11211" // memcached's registered port
	unixPrefix  = "unix:"
)

// normalAddr checks an address and completes it: a missing port becomes 11211,
// a bare absolute path gets the "unix:" that tells it from a host.
func normalAddr(addr string) (string, error) {
	if strings.HasPrefix(addr, "/") {
		addr = unixPrefix + addr
	}
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return addr, checkPath(addr, path)
	}
	host, port, hasPort, err := splitAddr(addr)
	if err != nil {
		return addr, err
	}
	if !hasPort {
		return host + ":" + defaultPort, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '+' {
		return addr, fmt.Errorf("%w: %.60q: port %.20q is not between 1 and 65535", ErrBadAddr, addr, port)
	}
	return addr, nil
}

func checkPath(addr, path string) error {
	if path == "" || strings.ContainsFunc(path, isBlank) {
		return fmt.Errorf("%w: %.60q has no usable socket path", ErrBadAddr, addr)
	}
	return nil
}

// splitAddr takes an address apart and checks its host; an IPv6 host keeps its
// brackets.
func splitAddr(addr string) (host, port string, hasPort bool, err error) {
	host, port, hasPort = cutPort(addr)
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, ipErr := netip.ParseAddr(inner)
		if !ok || ipErr != nil || !ip.Is6() || hasOddCharacter(inner) { // a zone may hold anything
			return "", "", false, fmt.Errorf("%w: %.60q: no IPv6 address between brackets", ErrBadAddr, addr)
		}
		return host, port, hasPort, nil
	}
	switch {
	case host == "":
		return "", "", false, fmt.Errorf("%w: %.60q names no host", ErrBadAddr, addr)
	case strings.Contains(host, ":"):
		return "", "", false, fmt.Errorf("%w: %.60q: an IPv6 address needs brackets", ErrBadAddr, addr)
	case hasOddCharacter(host):
		return "", "", false, fmt.Errorf("%w: %.60q has characters that no host name has", ErrBadAddr, addr)
	}
	return host, port, hasPort, nil
}

// hasOddCharacter reports what no host name has and what would make a list of
// servers ambiguous.
func hasOddCharacter(host string) bool {
	return strings.ContainsAny(host, "/[]@=,") || strings.ContainsFunc(host, isBlank)
}

// cutPort splits at the last colon that is not part of a bracketed address.
func cutPort(s string) (host, port string, hasPort bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i < strings.LastIndexByte(s, ']') {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
