package mctest

import (
	"net"
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
