package mctest

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestBacklogIsBackAfterABlackHole(t *testing.T) {
	s := Start(t)
	for _, fault := range []func() error{s.BlackHole, s.Heal} {
		if err := fault(); err != nil {
			t.Fatal(err)
		}
	}
	s.control.Lock()
	defer s.control.Unlock()
	s.listener.halt()
	defer s.listener.letIn()
	for i := range 8 {
		nc, err := net.DialTimeout("tcp", s.Addr(), 10*time.Second)
		if err != nil {
			t.Fatalf("connection %d does not fit in the backlog: %v", i, err)
		}
		defer nc.Close()
	}
}

func TestBlackHoleOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mc.sock")
	s := Start(t, Config{Addr: "unix:" + path})
	for range 2 {
		if err := s.BlackHole(); err != nil {
			t.Fatal(err)
		}
		first, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if nc, err := net.Dial("unix", path); err == nil {
			_ = nc.Close()
			t.Fatal("the second dial got through")
		}
		if err := s.Heal(); err != nil {
			t.Fatal(err)
		}
		_ = first.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := first.Write([]byte("get a\r\n")); err != nil {
			t.Fatal(err)
		}
		if n, err := first.Read(make([]byte, 10)); n != 5 || err != nil {
			t.Fatalf("healed, but read %d, %v", n, err)
		}
		_ = first.Close()
	}
}
