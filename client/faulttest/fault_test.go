package faulttest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
)

const (
	warmUp = 1500 * time.Millisecond
	after  = 5 * time.Second // the heal
)

// hold is how long a fault lasts.
func hold() time.Duration {
	if os.Getenv("RINGBEAT_FAULTS") == "measure" {
		return 30 * time.Second
	}
	return 6 * time.Second
}

// outage is a fault that takes server 0 away altogether.
type outage struct {
	name        string
	fault, heal func(*env)
	lost        bool // its memory, too
}

var outages = []outage{
	{
		name:  "BlackHole",
		fault: func(e *env) { e.faults.drop(e.t, e.servers[0].Port()) },
		heal:  func(e *env) { e.faults.heal() },
	},
	{
		name: "BlackHoleEstablished", // new connections work
		fault: func(e *env) {
			e.faults.drop(e.t, e.servers[0].Port(), "!", "--syn", "-m", "conntrack", "--ctstate", "ESTABLISHED")
		},
		heal: func(e *env) { e.faults.heal() },
	},
	{
		name:  "SIGSTOP",
		fault: func(e *env) { e.servers[0].Stop() },
		heal:  func(e *env) { e.servers[0].Continue() },
	},
	{
		name:  "SIGKILL",
		fault: func(e *env) { e.servers[0].Kill() },
		heal:  func(e *env) { e.servers[0].Restart() },
		lost:  true,
	},
}

// TestFaultOutage takes the server with two thirds of the keys away, under few and
// many requests.
func TestFaultOutage(t *testing.T) {
	for _, o := range outages {
		for _, rate := range []int{6, 1000} {
			t.Run(fmt.Sprintf("%s/%d", o.name, rate), func(t *testing.T) {
				t.Parallel()
				runOutage(t, o, rate)
			})
		}
	}
}

func runOutage(t *testing.T, o outage, rate int) {
	e := newEnv(t, 2, nil)
	l := e.begin(rate)
	time.Sleep(warmUp)
	began := time.Now()
	o.fault(e)
	e.await("server ejected", hold()/2, func() bool {
		_, ok := e.entered("cache0", heartbeat.Ejected, began)
		return ok
	})
	time.Sleep(time.Until(began.Add(hold() / 2)))
	sent := e.status(0).Pool.Requests
	if conns := e.status(0).Pool.Conns; conns != 0 {
		t.Errorf("%d connections to an ejected server", conns)
	}
	time.Sleep(time.Until(began.Add(hold())))
	if now := e.status(0).Pool.Requests; now != sent {
		t.Errorf("%d requests went to an ejected server", now-sent)
	}
	healed := time.Now()
	o.heal(e)
	back := e.await("server readmitted", after, func() bool {
		_, ok := e.entered("cache0", heartbeat.Healthy, healed)
		return ok
	})
	time.Sleep(2 * time.Second)
	l.end()
	during := l.between(began, healed)
	later := l.between(healed, time.Now())
	third := l.between(began.Add(hold()*2/3), healed)
	out, _ := e.entered("cache0", heartbeat.Ejected, began)
	in, _ := e.entered("cache0", heartbeat.Healthy, healed)
	t.Logf("beside %v; out after %v, back after %v", l.calmWorst(began, time.Now()).Round(time.Millisecond), out.Sub(began).Round(time.Millisecond), in.Sub(healed).Round(time.Millisecond))
	t.Logf("during: %v", during)
	t.Logf("after:  %v", later)
	during.wantFailed(t, 0)
	later.wantFailed(t, 0)
	if third.failed > 0 {
		t.Errorf("last third of the hold: %v", third)
	}
	if during.stale+later.stale > 0 {
		t.Errorf("%d stale reads during the fault, %d after", during.stale, later.stale)
	}
	if back && e.status(0).Pool.Requests == sent {
		t.Error("no request went to the server that is back")
	}
}
