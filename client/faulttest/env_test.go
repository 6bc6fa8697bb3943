// Package faulttest breaks real memcached servers under load and looks at what
// the client's users notice: failed, slow and stale requests. Its tests need
// root, for packet filters on the tests' own ports, and minutes; they run where
// RINGBEAT_FAULTS is set (make faults).
package faulttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/client/internal/realserver"
	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/ring"
)

func TestMain(m *testing.M) {
	if os.Getenv("RINGBEAT_FAULTS") == "" {
		fmt.Println("set RINGBEAT_FAULTS=1 to run the fault tests")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// env is a client with its servers, of which server 0 is the one to break and
// has twice the weight of the others.
type env struct {
	t       *testing.T
	servers []*realserver.Process
	c       *client.Client
	faults  packetFaults

	mu     sync.Mutex
	events []client.Event
}

func newEnv(t *testing.T, n int, change func(*client.Config), args ...string) *env {
	t.Helper()
	e := &env{t: t}
	var cfg client.Config
	for i := range n {
		p := realserver.Start(t, args...)
		e.servers = append(e.servers, p)
		cfg.Servers = append(cfg.Servers, ring.Server{Name: fmt.Sprint("cache", i), Addr: p.Addr, Weight: 1})
	}
	cfg.Servers[0].Weight = 2
	if os.Getenv("RINGBEAT_FAULTS") != "measure" {
		// A machine that stands still for 100 ms must not fail a test: the default
		// leaves no more to the stand-in. How soon it is asked stays as it is.
		cfg.Timeout, cfg.AttemptTimeout = time.Second, 100*time.Millisecond
	}
	cfg.OnEvent = e.note
	if change != nil {
		change(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.c = c
	t.Cleanup(func() {
		if t.Failed() {
			e.explain()
		}
		c.Close()
	})
	return e
}

func (e *env) note(ev client.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, ev)
}

func (e *env) explain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.events {
		e.t.Logf("%s %s %s %v>%v %s mode=%s moved=%.2f err=%v", ev.At.Format("05.000"), ev.Kind, ev.Server, ev.From, ev.To, ev.Reason, ev.Mode, ev.Moved, ev.Err)
	}
	s := e.c.Snapshot()
	e.t.Logf("standins %d retries %d overbudget %d hints %d replayed %d dropped %d", s.StandIns, s.Retries, s.OverBudget, s.Hints, s.HintsReplayed, s.HintsDropped)
	for _, st := range s.Servers {
		e.t.Logf("%s %v mode=%s hints=%d loans=%d pool=%+v err=%v", st.Name, st.State, st.Mode, st.Hints, st.Loans, st.Pool, st.LastErr)
	}
}

// states returns the states that a server went through, in order, and when it
// entered each.
func (e *env) states(server string) (states []heartbeat.State, at []time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.events {
		if ev.Kind == client.Transition && ev.Server == server {
			states = append(states, ev.To)
			at = append(at, ev.At)
		}
	}
	return states, at
}

// entered returns when server first entered the state after the given time.
func (e *env) entered(server string, s heartbeat.State, after time.Time) (time.Time, bool) {
	states, at := e.states(server)
	for i := range states {
		if states[i] == s && at[i].After(after) {
			return at[i], true
		}
	}
	return time.Time{}, false
}

// await waits until ok, for at most within.
func (e *env) await(what string, within time.Duration, ok func() bool) bool {
	e.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	e.t.Errorf("not within %v: %s", within, what)
	return false
}

// status returns what the client says of server i.
func (e *env) status(i int) client.ServerStatus { return e.c.Servers()[i] }

// packetFaults are rules of the packet filter for ports of this test alone.
type packetFaults struct{ undo [][]string }

// drop makes the packets vanish that match, between the server at port and
// everybody.
func (f *packetFaults) drop(t *testing.T, port string, match ...string) {
	t.Helper()
	for _, side := range []string{"--dport", "--sport"} {
		rule := append([]string{"INPUT", "-i", "lo", "-p", "tcp", side, port}, match...)
		f.add(t, append(rule, "-j", "DROP"))
	}
}

func (f *packetFaults) add(t *testing.T, rule []string) {
	t.Helper()
	if len(f.undo) == 0 {
		t.Cleanup(f.heal)
	}
	if out, err := exec.Command("iptables", append([]string{"-w", "-I"}, rule...)...).CombinedOutput(); err != nil {
		t.Fatalf("iptables: %v: %s", err, out)
	}
	f.undo = append(f.undo, rule)
}

// heal takes the rules back.
func (f *packetFaults) heal() {
	for _, rule := range f.undo {
		_ = exec.Command("iptables", append([]string{"-w", "-D"}, rule...)...).Run()
	}
	f.undo = nil
}

var ctx = context.Background()
