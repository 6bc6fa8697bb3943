package ring

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
)

// labelled returns the points rule of rings that hash the labels
// prefix(name) + sep + 0, 1, 2, ...
func labelled(prefix func(name string) string, sep string, hash func(dst []uint64, label []byte) []uint64) func([]uint64, string, int) []uint64 {
	return func(dst []uint64, name string, n int) []uint64 {
		label := append([]byte(prefix(name)), sep...)
		start := len(label)
		for k := range n {
			label = strconv.AppendInt(label[:start], int64(k), 10)
			dst = hash(dst, label)
		}
		return dst
	}
}

// chainCRC32 is the points rule of nginx and Cache::Memcached::Fast: each point
// is the crc32 of host, a zero byte, port and the point before it.
func chainCRC32(dst []uint64, name string, n int) []uint64 {
	host, port := cutDigits(strings.TrimPrefix(name, unixPrefix))
	if strings.HasPrefix(name, unixPrefix) {
		host, port = strings.TrimPrefix(name, unixPrefix), ""
	}
	seed := crc32.ChecksumIEEE([]byte(host + "\x00" + port))
	var previous [4]byte
	for range n {
		point := crc32.Update(seed, crc32.IEEETable, previous[:])
		dst = append(dst, uint64(point))
		binary.LittleEndian.PutUint32(previous[:], point)
	}
	return dst
}

// whole hashes the name as it is.
func whole(name string) string { return name }

// libmemcachedName leaves the port out when it is the default one. A socket has
// port 0 there.
func libmemcachedName(name string) string { return withoutDefaultPort(name, ":0") }

// twemproxyName is the same but for sockets: the colon before a port that is
// not there stays.
func twemproxyName(name string) string { return withoutDefaultPort(name, ":") }

func withoutDefaultPort(name, socketPort string) string {
	if path, ok := strings.CutPrefix(name, unixPrefix); ok {
		return path + socketPort
	}
	host, port, ok := splitName(name)
	switch {
	case !ok:
		return name
	case port == defaultPort:
		return host
	}
	return host + ":" + port
}

// xmemcachedName is how Java prints a resolved address: "host/ip:port", where
// host is empty if the client was given the bare ip.
func xmemcachedName(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "/" + name
}

// withoutBrackets writes host:port even around an IPv6 address; a socket is
// its path.
func withoutBrackets(name string) string {
	if path, ok := strings.CutPrefix(name, unixPrefix); ok {
		return path
	}
	host, port, ok := splitName(name)
	if !ok {
		return name
	}
	return host + ":" + port
}

// splitName takes "host:port" apart, "[ipv6]:port" without the brackets. Any
// other name is an alias: ok is false and nobody may change it.
func splitName(name string) (host, port string, ok bool) {
	host, port = cutDigits(name)
	if port == "" {
		return "", "", false
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
		return inner, port, bracketed
	}
	return host, port, !strings.Contains(host, ":")
}

// cutDigits cuts at the last colon if only digits follow it.
func cutDigits(name string) (before, digits string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Trim(name[i+1:], "0123456789") != "" {
		return name, ""
	}
	return name[:i], name[i+1:]
}
