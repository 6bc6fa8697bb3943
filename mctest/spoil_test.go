package mctest

import (
	"testing"
	"testing/synctest"
)

// Faults may be switched on in the middle of a batch: the replies that are in the
// buffer by then go first, and as they are.
func TestRepliesBeforeAFaultStayInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{NoListen: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.Repeat(1)
		nc := &scripted{}
		c := newConn(s, s.store(), nc, nil)
		c.out = append(c.out, "one two"...)
		if !c.spoil(s.faults.Load(), len("one ")) {
			t.Fatal("the connection ended")
		}
		c.end()
		if got := nc.written.String(); got != "one twotwo" {
			t.Errorf("written %q", got)
		}
	})
}
