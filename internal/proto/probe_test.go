package proto

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestProbeVersion(t *testing.T) {
	for _, tc := range []struct {
		reply   string
		version string
		err     string // a part of the error's text
		is      error
	}{
		{"VERSION 1.6.18\r\n", "1.6.18", "", nil},
		{"VERSION 1.4.0\n", "1.4.0", "", nil},
		{"VERSION \r\n", "", "", nil},
		{"VERSION 1.6.18\r\nVERSION 1.6.18\r\n", "", "unexpected reply", ErrNotMemcached},
		{"ERROR\r\n", "", `server replied "ERROR"`, nil},
		{"ERROR Too many open connections\r\n", "", "Too many open connections", nil},
		{"SERVER_ERROR out of memory\r\n", "", "out of memory", nil},
		{"CLIENT_ERROR unauthenticated\r\n", "", "unauthenticated", ErrAuth},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "", "it speaks HTTP", ErrNotMemcached},
		{"<html>\r\n", "", "it speaks HTTP", ErrNotMemcached},
		{"-ERR unknown command 'version'\r\n", "", "the Redis protocol", ErrNotMemcached},
		{"SSH-2.0-OpenSSH_9.2\r\n", "", "it speaks SSH", ErrNotMemcached},
		{"\x15\x03\x03\x00\x02\x02\x46", "", "it speaks TLS", ErrNotMemcached},
		{"\r\n", "", "unexpected reply", ErrNotMemcached},
		{"\x00\xff\n", "", "unexpected reply", ErrNotMemcached},
		{"VERSION " + strings.Repeat("9", 2000), "", "unexpected reply", ErrNotMemcached},
		{"ERROR " + strings.Repeat("9", 2000), "", "server replied", nil},
	} {
		version, done, err := ProbeVersion([]byte(tc.reply))
		if !done || version != tc.version {
			t.Errorf("%.40q: version %q, done %v", tc.reply, version, done)
		}
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%.40q: error %v, want %q in it", tc.reply, err, tc.err)
		}
		if tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%.40q: error %v is not %v", tc.reply, err, tc.is)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%.40q: error of %d bytes", tc.reply, len(err.Error()))
		}
	}
}

func TestProbeVersionWaitsForTheWholeLine(t *testing.T) {
	for _, reply := range []string{"VERSION 1.6.18\r\n", "ERROR\r\n", "SERVER_ERROR busy\r\n"} {
		for n := range len(reply) {
			if _, done, err := ProbeVersion([]byte(reply[:n])); done || err != nil {
				t.Errorf("%q: done %v, error %v", reply[:n], done, err)
			}
		}
	}
	for _, reply := range []string{"H", "VERSIONS", "v", "ERR0", "*1"} {
		if _, done, err := ProbeVersion([]byte(reply)); !done || err == nil {
			t.Errorf("%q: waits for more of what cannot become right", reply)
		}
	}
}

func TestProbeAuth(t *testing.T) {
	if done, err := ProbeAuth([]byte("STORED\r\n")); !done || err != nil {
		t.Errorf("done %v, error %v", done, err)
	}
	if done, err := ProbeAuth([]byte("STOR")); done || err != nil {
		t.Errorf("half a line: done %v, error %v", done, err)
	}
	if _, err := ProbeAuth([]byte("CLIENT_ERROR authentication failure\r\n")); !errors.Is(err, ErrAuth) {
		t.Errorf("refused: error %v", err)
	}
	for _, reply := range []string{"STOREDX\r\n", "ERROR\r\n", "NOT_STORED\r\n"} {
		if done, err := ProbeAuth([]byte(reply)); !done || err == nil {
			t.Errorf("%q: done %v, error %v", reply, done, err)
		}
	}
}

const statsReply = "STAT pid 4711\r\nSTAT uptime 100\r\nSTAT time 1700000000\r\nSTAT version 1.6.18\r\n" +
	"STAT libevent 2.1.12-stable\r\nSTAT curr_items 42\r\nSTAT empty \r\nEND\r\n"

func TestParseProbeStats(t *testing.T) {
	s, done, err := ParseProbeStats([]byte(statsReply))
	want := ProbeStats{PID: 4711, Started: 1_699_999_900, Uptime: 100 * time.Second, Items: 42}
	if !done || err != nil || s != want {
		t.Errorf("%+v, done %v, error %v", s, done, err)
	}
	for n := range len(statsReply) {
		if _, done, err := ParseProbeStats([]byte(statsReply[:n])); done || err != nil {
			t.Fatalf("%q: done %v, error %v", statsReply[:n], done, err)
		}
	}
	for reply, want := range map[string]ProbeStats{
		"END\r\n": {},
		"STAT pid x\r\nSTAT curr_items -1\r\nEND\r\n": {},
		"STAT pid 7\r\nEND\r\n":                       {PID: 7},
	} {
		if s, done, err := ParseProbeStats([]byte(reply)); !done || err != nil || s != want {
			t.Errorf("%q: %+v, done %v, error %v", reply, s, done, err)
		}
	}
	for _, reply := range []string{
		"ERROR\r\n", "SERVER_ERROR busy\r\n", "HTTP/1.1 400 Bad Request\r\n", "STAT\r\n", "\r\n",
		statsReply + "END\r\n", strings.Repeat("STAT x", 20_000),
	} {
		if _, done, err := ParseProbeStats([]byte(reply)); !done || err == nil {
			t.Errorf("%.40q: done %v, error %v", reply, done, err)
		}
	}
}

// FuzzProbe checks that no reply upsets the parsers, and that what is final
// about a part of a reply is so about the whole.
func FuzzProbe(f *testing.F) {
	for _, reply := range []string{"VERSION 1.6.18\r\n", "STORED\r\n", statsReply, "ERROR\r\n", "HTTP/1.1 400\r\n", "\x15\x03"} {
		f.Add([]byte(reply), 3)
	}
	f.Fuzz(func(t *testing.T, reply []byte, cut int) {
		cut = max(0, min(cut, len(reply)))
		for name, parse := range map[string]func([]byte) (bool, error){
			"version": func(b []byte) (bool, error) { _, done, err := ProbeVersion(b); return done, err },
			"auth":    ProbeAuth,
			"stats":   func(b []byte) (bool, error) { _, done, err := ParseProbeStats(b); return done, err },
		} {
			part, partErr := parse(reply[:cut])
			whole, wholeErr := parse(reply)
			if !part && partErr != nil || !whole && wholeErr != nil {
				t.Errorf("%s: an error and not done", name)
			}
			if part && !whole {
				t.Errorf("%s: done with %q, not with %q", name, reply[:cut], reply)
			}
			if partErr != nil && wholeErr == nil {
				t.Errorf("%s: %q is wrong, %q is right", name, reply[:cut], reply)
			}
			if part && partErr == nil && cut < len(reply) && wholeErr == nil {
				t.Errorf("%s: extra bytes in %q went unnoticed", name, reply)
			}
		}
	})
}
