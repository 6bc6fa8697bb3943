package inspect

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

func TestCountersOfAServer(t *testing.T) {
	s := mctest.Start(t)
	if v, err := Version(s.Addr(), 5*time.Second); v != "1.6.18" || err != nil {
		t.Errorf("version %q, %v", v, err)
	}
	before, err := Counters(s.Addr(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "get a\r\nget b\r\nset c 0 0 1\r\nx\r\n")
	if _, err := io.ReadFull(nc, make([]byte, len("END\r\nEND\r\nSTORED\r\n"))); err != nil {
		t.Fatal(err)
	}
	after, err := Counters(s.Addr(), 5*time.Second)
	if err != nil || after["cmd_get"]-before["cmd_get"] != 2 || after["cmd_set"]-before["cmd_set"] != 1 {
		t.Errorf("%v, get %d set %d", err, after["cmd_get"]-before["cmd_get"], after["cmd_set"]-before["cmd_set"])
	}
}

// Whatever speaks to us, the call ends in time and says what it heard.
func TestStrangersAreQuoted(t *testing.T) {
	for said, want := range map[string]string{
		"HTTP/1.1 400 Bad Request\r\n": `not as a memcached: "HTTP/1.1 400 Bad Request"`,
		"-ERR unknown command\r\n":     `not as a memcached: "-ERR unknown command"`,
		"":                             "no answer",
		"VERSION 1.6":                  "no answer",
		strings.Repeat("x", 2<<20):     "no answer",
	} {
		addr := speaker(t, said)
		if v, err := Version(addr, 2*time.Second); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: version %q, error %v; want %q", said, v, err, want)
		}
	}
	for _, said := range []string{"ERROR\r\n", "STAT a 1\r\n", strings.Repeat("STAT a 1\r\n", 2000)} {
		if c, err := Counters(speaker(t, said), 500*time.Millisecond); err == nil {
			t.Errorf("%.30q: counters %v", said, c)
		}
	}
}

// speaker listens, says its sentence to everybody and closes.
func speaker(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(5 * time.Second))
				nc.Read(make([]byte, 64)) // the command: closing with unread bytes would reset
				io.WriteString(nc, says)
			}()
		}
	}()
	return l.Addr().String()
}
