package main

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestNoServerIsNoResult(t *testing.T) {
	t.Parallel()
	o := mcbench(t, quick("-s", deadAddress(t)+","+deadAddress(t))...)
	o.want(t, exitFailed, "no server answered", "connection refused")
	if o.stdout != "" {
		t.Errorf("a result was printed:\n%s", o.stdout)
	}
}

func TestAnotherProtocolIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\n\r\n")
			nc.Close()
		}
	}()
	mcbench(t, quick("-s", l.Addr().String())...).want(t, exitFailed, "not as a memcached", "HTTP/1.1 400")
}

// Half of the servers are gone from the start: the run goes on, says so first, and does
// not pass for a clean one.
func TestHalfTheServersDownAtTheStart(t *testing.T) {
	t.Parallel()
	live, dead := mctest.Start(t), deadAddress(t)
	servers := "a@" + live.Addr() + ",b@" + dead
	o := mcbench(t, quick("-s", servers, "--client", "gomemcache")...)
	o.want(t, 0, "warning: "+dead+": connection refused", "keys of b could not be stored", "connection refused", "failed (", "[!!]", "DOWN")
	o = mcbench(t, quick("-s", servers, "--client", "gomemcache", "--threshold", "errors<1%")...)
	o.want(t, exitThreshold, "threshold failed: errors<1%")
	o = mcbench(t, quick("-s", servers, "--client", "gomemcache", "--strict")...)
	o.want(t, exitUntrusted, "cross-check")
}

// The server is gone before the run is over: the summary counts what failed.
func TestServerDeadAtTheEnd(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	timer := time.AfterFunc(700*time.Millisecond, func() { s.Kill() })
	defer timer.Stop()
	o := mcbench(t, "run", "-s", s.Addr(), "--keys", "100", "--warmup", "0s", "-r", "500", "-d", "1500ms")
	o.want(t, 0, "750 requests", "failed (", "ejected", "did not tell its counters")
}

// Everything fails from the first measured request on: that is exit code 1.
func TestTotalFailureIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	s.Swallow(1)
	o := mcbench(t, "run", "-s", s.Addr(), "--keys", "100", "--no-load", "--warmup", "0s", "-r", "100", "-d", "500ms", "--timeout", "50ms")
	if o.code != exitFailed {
		t.Errorf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

func TestInterruptedRunStillReports(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	o := mcbenchIn(ctx, nil, "run", "--keys", "100", "--warmup", "0s", "-r", "1k", "-d", "60s")
	o.want(t, exitInterrupted, "Interrupted", "cross-check")
}

// Somebody else uses the server: the counters differ, and --strict says so.
func TestForeignTrafficIsNoticed(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 400 {
			nc, err := net.Dial("tcp", s.Addr())
			if err != nil {
				return
			}
			io.WriteString(nc, "get somebody\r\n")
			io.CopyN(io.Discard, nc, 5)
			nc.Close()
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(i/100+1) * time.Millisecond):
			}
		}
	})
	o := mcbench(t, quick("-s", s.Addr(), "--strict")...)
	close(stop)
	wg.Wait()
	o.want(t, exitUntrusted, "somebody else uses these servers")
}

func TestThresholdDecidesTheExitCode(t *testing.T) {
	t.Parallel()
	mcbench(t, quick("--threshold", "p99<10s", "--threshold", "rate>100")...).want(t, 0, "pass")
	mcbench(t, quick("--threshold", "p50<1ns")...).want(t, exitThreshold, "FAIL", "threshold failed: p50<1ns")
}

func TestTheEnvironmentIsNeverLoadedUnasked(t *testing.T) {
	s := mctest.Start(t)
	o := mcbenchIn(t.Context(), map[string]string{"MEMCACHED_SERVERS": s.Addr()})
	o.want(t, 0, "mcbench run -s "+s.Addr())
	if n := s.Stats().TotalConns; n != 0 {
		t.Errorf("%d connections were made", n)
	}
}
