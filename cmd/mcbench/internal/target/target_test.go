package target

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
	"github.com/ringbeat/ringbeat/ring"
)

// Every client must give the same answers, else a comparison means nothing.
func TestEveryClientAnswersAlike(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			c := open(t, name, mctest.Start(t), mctest.Start(t))
			checkStore(t, c)
			checkMulti(t, c)
		})
	}
}

func open(t *testing.T, name string, servers ...*mctest.Server) Client {
	t.Helper()
	var members []ring.Server
	for i, s := range servers {
		members = append(members, ring.Server{Name: fmt.Sprint("s", i), Addr: s.Addr()})
	}
	r, err := ring.New(ring.Ketama, members...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(name, Options{
		Servers: r.Servers(), Home: r.Index, Layout: ring.Ketama, Conns: 4, Pool: 2, Timeout: 10 * time.Second,
		OnEvent: func(time.Time, string, string, string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func checkStore(t *testing.T, c Client) {
	t.Helper()
	want := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err := c.Get("k", nil)
	want("get of nothing", err, ErrMiss)
	want("delete of nothing", c.Delete("k"), ErrMiss)
	want("touch of nothing", c.Touch("k", 60), ErrMiss)
	want("swap of nothing", c.Swap("k", []byte("x"), 0), ErrMiss)
	_, err = c.Increment("k", 1)
	want("incr of nothing", err, ErrMiss)
	want("add", c.Add("k", []byte("one"), 60), nil)
	want("second add", c.Add("k", []byte("two"), 60), ErrNotStored)
	got, err := c.Get("k", []byte("> "))
	if err != nil || string(got) != "> one" {
		t.Errorf("get: %q, %v; want the value appended", got, err)
	}
	want("set", c.Set("k", []byte("7"), 0), nil)
	if n, err := c.Increment("k", 5); n != 12 || err != nil {
		t.Errorf("incr: %d, %v", n, err)
	}
	want("touch", c.Touch("k", 60), nil)
	want("swap", c.Swap("k", []byte("new"), 0), nil)
	if got, err := c.Get("k", nil); string(got) != "new" || err != nil {
		t.Errorf("after the swap: %q, %v", got, err)
	}
	want("delete", c.Delete("k"), nil)
}

func checkMulti(t *testing.T, c Client) {
	t.Helper()
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprint("multi-", i))
		if i%2 == 0 {
			if err := c.Set(keys[i], []byte(keys[i]), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := 0
	err := c.GetMulti(keys, func(i int, value []byte) {
		seen++
		if i%2 != 0 || string(value) != keys[i] {
			t.Errorf("key %d has the value %q", i, value)
		}
	})
	if err != nil || seen != 10 {
		t.Errorf("multi-get: %d values, %v", seen, err)
	}
}

func TestUnknownClientsAreRefused(t *testing.T) {
	if _, err := New("telnet", Options{}); err == nil {
		t.Error("accepted")
	}
}

// The model must show what it is a model of: a lost server is given up only after each of
// its connections failed several times on a pool of two threads, then its keys move on.
func TestSharedHeartbeatsGiveAServerUpLate(t *testing.T) {
	lost, healthy := mctest.Start(t), mctest.Start(t)
	events := make(chan string, 16)
	members := []ring.Server{{Name: "lost", Addr: lost.Addr()}, {Name: "healthy", Addr: healthy.Addr()}}
	s, err := NewShared(Options{
		Servers: members, Layout: ring.Ketama, Timeout: 100 * time.Millisecond,
		OnEvent: func(_ time.Time, server, what, _ string) { events <- server + " " + what },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := ""
	for i := 0; key == ""; i++ {
		if k := fmt.Sprint(i); s.home(k) == 0 {
			key = k
		}
	}
	for _, v := range s.servers[0].conns[1:] { // all but one have been given up already
		v.closed.Store(true)
	}
	if err := lost.BlackHole(); err != nil {
		t.Fatal(err)
	}
	await := func(want string) {
		t.Helper()
		select {
		case got := <-events:
			if got != want {
				t.Fatalf("event %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no event; want %q", want)
		}
	}
	await("lost ejected: the last of its connections was given up")
	if s.home(key) != 1 {
		t.Error("the key did not move to the healthy server")
	}
	if err := lost.Heal(); err != nil {
		t.Fatal(err)
	}
	await("lost back: connected again")
	if s.home(key) != 0 {
		t.Error("the key did not return")
	}
}
