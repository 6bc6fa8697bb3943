// Package inspect asks a memcached for its version and its counters over a connection of
// its own, apart from the client under test.
package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxLines bounds what a server may answer to stats.
const maxLines = 1000

// Version returns the server's version. The error of something that is no memcached quotes
// what it said.
func Version(addr string, timeout time.Duration) (string, error) {
	lines, err := ask(addr, "version", timeout, func(string) bool { return true })
	if err != nil {
		return "", err
	}
	version, ok := strings.CutPrefix(lines[0], "VERSION ")
	if !ok {
		return "", fmt.Errorf("%s answers, but not as a memcached: %.60q", addr, lines[0])
	}
	return version, nil
}

// Counters returns the numbers among the server's stats.
func Counters(addr string, timeout time.Duration) (map[string]int64, error) {
	lines, err := ask(addr, "stats", timeout, func(l string) bool { return !strings.HasPrefix(l, "STAT ") })
	if err != nil {
		return nil, err
	}
	if last := lines[len(lines)-1]; last != "END" {
		return nil, fmt.Errorf("%s answers stats with %.60q", addr, last)
	}
	counters := map[string]int64{}
	for _, l := range lines[:len(lines)-1] {
		f := strings.Fields(l)
		if len(f) != 3 {
			continue
		}
		if n, err := strconv.ParseInt(f[2], 10, 64); err == nil {
			counters[f[1]] = n
		}
	}
	return counters, nil
}

// ask sends one command and reads lines up to the one that last accepts.
func ask(addr, command string, timeout time.Duration, last func(line string) bool) ([]string, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	nc, err := net.DialTimeout(network, addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", addr, reason(err))
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	if _, err := io.WriteString(nc, command+"\r\n"); err != nil {
		return nil, fmt.Errorf("%s: %s", addr, reason(err))
	}
	var lines []string
	r := bufio.NewReaderSize(io.LimitReader(nc, 1<<20), 4096)
	for len(lines) < maxLines {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%s: connected, but no answer to %q: %s", addr, command, reason(err))
		}
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line)
		if last(line) {
			return lines, nil
		}
	}
	return nil, fmt.Errorf("%s answers %q without end", addr, command)
}

// reason is what went wrong without the address, which the caller has said already.
func reason(err error) string {
	var ne net.Error
	switch {
	case errors.As(err, &ne) && ne.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF):
		return "connection closed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	}
	return err.Error()
}
