package fault

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/inspect"
	"github.com/ringbeat/ringbeat/mctest"
)

func TestFaultsAreParsed(t *testing.T) {
	for text, want := range map[string]Spec{
		"kill": {Kill, 0}, "hang": {Hang, 0}, "blackhole": {BlackHole, 0}, "reset": {Reset, 0},
		"slow": {Slow, 50 * time.Millisecond}, "slow:3ms": {Slow, 3 * time.Millisecond},
		"flap": {Flap, time.Second}, "flap:2s": {Flap, 2 * time.Second},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "explode", "hang:1s", "slow:x", "slow:-1s", "flap:0s"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %+v", text, got)
		}
	}
}

// Each fault must be felt by a fresh connection or a request, and be gone after the heal.
func TestEmbeddedFaultsAreFeltAndHealed(t *testing.T) {
	for text, felt := range map[string]func(error, time.Duration) bool{
		"kill":       func(err error, _ time.Duration) bool { return err != nil },
		"hang":       func(err error, _ time.Duration) bool { return err != nil },
		"blackhole":  func(err error, _ time.Duration) bool { return err != nil },
		"flap:1h":    func(err error, _ time.Duration) bool { return err != nil },
		"slow:100ms": func(err error, took time.Duration) bool { return err == nil && took >= 100*time.Millisecond },
	} {
		s := mctest.Start(t)
		spec, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		b := Embedded(s, spec)
		if err := b.Break(); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		start := time.Now()
		_, err = inspect.Version(s.Addr(), 300*time.Millisecond)
		if took := time.Since(start); !felt(err, took) {
			t.Errorf("%s: not felt (error %v after %v)", text, err, took)
		}
		for range 2 { // also twice
			if err := b.Heal(); err != nil {
				t.Fatalf("%s: heal: %v", text, err)
			}
		}
		if _, err := inspect.Version(s.Addr(), 5*time.Second); err != nil {
			t.Errorf("%s: after the heal: %v", text, err)
		}
	}
}

func TestFlappingTurnsOnAndOffInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		turns := 0
		f := &flapping{
			on:   func() error { turns++; broken.Store(true); return nil },
			off:  func() error { broken.Store(false); return nil },
			half: 2 * time.Second,
		}
		if err := f.Break(); err != nil {
			t.Fatal(err)
		}
		if err := f.Break(); err == nil {
			t.Error("broken twice")
		}
		time.Sleep(time.Second)
		for i := range 6 {
			if want := i%2 == 0; broken.Load() != want {
				t.Errorf("at %d s: broken = %v", 2*i+1, !want)
			}
			time.Sleep(2 * time.Second)
		}
		if err := f.Heal(); err != nil || broken.Load() {
			t.Errorf("after the heal: broken %v, %v", broken.Load(), err)
		}
		if turns != 4 {
			t.Errorf("turned on %d times, want 4", turns)
		}
	})
}

// A failure to turn the fault on or off is told by the heal.
func TestFlappingTellsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		f := &flapping{on: func() error { return nil }, off: func() error { return boom }, half: time.Second}
		if err := f.Break(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if err := f.Heal(); !errors.Is(err, boom) {
			t.Errorf("heal: %v", err)
		}
	})
}

// lookPath finds a tool; in CI its absence is a failure.
func lookPath(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", tool)
		}
		t.Skipf("%s is not installed", tool)
	}
	return path
}

func startMemcached(t *testing.T) (addr string, pid int) {
	t.Helper()
	path := lookPath(t, "memcached")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	cmd := exec.Command(path, "-u", "nobody", "-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "1", "-m", "16")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 500 {
		if _, err := inspect.Version(addr, time.Second); err == nil {
			return addr, cmd.Process.Pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("memcached did not start")
	return "", 0
}

func TestARealProcessHangsAndDies(t *testing.T) {
	addr, pid := startMemcached(t)
	hang, err := Process(pid, Spec{Kind: Hang})
	if err != nil {
		t.Fatal(err)
	}
	if err := hang.Break(); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Version(addr, 300*time.Millisecond); err == nil {
		t.Error("a stopped process answers")
	}
	if err := hang.Heal(); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Version(addr, 10*time.Second); err != nil {
		t.Errorf("after SIGCONT: %v", err)
	}
	kill, err := Process(pid, Spec{Kind: Kill})
	if err != nil {
		t.Fatal(err)
	}
	if err := kill.Break(); err != nil {
		t.Fatal(err)
	}
	gone := false
	for range 500 {
		if _, err := inspect.Version(addr, time.Second); err != nil {
			gone = true
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !gone {
		t.Error("a killed process answers")
	}
}

func TestProcessRefusesWhatItCannot(t *testing.T) {
	for _, c := range []struct {
		pid  int
		kind Kind
		want string
	}{{0, Hang, "process id"}, {1, Hang, "process id"}, {os.Getpid(), BlackHole, "only be made to hang"}, {1 << 22, Hang, "no such process"}} {
		if _, err := Process(c.pid, Spec{Kind: c.kind}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("pid %d, %s: %v", c.pid, c.kind, err)
		}
	}
}

// Rules on a port of our own: dropped while broken, none left afterwards.
func TestIPTablesDropsAndCleansUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("packet filter rules need root")
	}
	lookPath(t, "iptables")
	s := mctest.Start(t)
	b, err := IPTables(s.Addr(), Spec{Kind: BlackHole})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Heal() })
	if err := b.Break(); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Version(s.Addr(), 300*time.Millisecond); err == nil {
		t.Error("the port answers behind the rules")
	}
	for range 2 {
		if err := b.Heal(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := inspect.Version(s.Addr(), 10*time.Second); err != nil {
		t.Errorf("after the heal: %v", err)
	}
	out, err := exec.Command("iptables-save").CombinedOutput()
	if err == nil && strings.Contains(string(out), "--dport "+portOf(t, s.Addr())+" ") {
		t.Errorf("rules are left:\n%s", out)
	}
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestIPTablesRefusesOtherFaults(t *testing.T) {
	if _, err := IPTables("127.0.0.1:1", Spec{Kind: Slow}); err == nil {
		t.Error("slow accepted")
	}
}
