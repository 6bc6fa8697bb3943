package main

import (
	"bufio"
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

// whenServing calls act as soon as a server has answered some gets.
func whenServing(t *testing.T, s *mctest.Server, act func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for s.Stats().Gets < 50 {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		act()
	}()
}

// The server is gone before the run is over: the summary counts what failed.
func TestServerDeadAtTheEnd(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	whenServing(t, s, func() { s.Kill() })
	o := mcbench(t, "run", "-s", s.Addr(), "--keys", "100", "--warmup", "0s", "-r", "500", "-d", "1500ms")
	o.want(t, 0, "750 requests", "failed (", "ejected", "did not tell its counters")
}

// Every measured request fails: that is no success, whatever the summary says.
func TestTotalFailureIsNoSuccess(t *testing.T) {
	t.Parallel()
	addr := hollowServer(t)
	for _, client := range []string{"ringbeat", "gomemcache"} {
		o := mcbench(t, "run", "-s", addr, "--keys", "100", "--no-load", "--warmup", "0s", "-r", "100", "-d", "500ms", "--client", client)
		o.want(t, exitFailed, "50 requests", "50 failed (100.00 %)", "not one request succeeded")
	}
}

// hollowServer answers version, stats and heartbeats, and hangs up on everything else.
func hollowServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	replies := map[string]string{"version": "VERSION 1.6.18\r\n", "stats": "STAT uptime 1\r\nEND\r\n", "mn": "MN\r\n"}
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				lines := bufio.NewScanner(nc)
				for lines.Scan() && replies[lines.Text()] != "" {
					io.WriteString(nc, replies[lines.Text()])
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestInterruptedRunStillReports(t *testing.T) {
	t.Parallel()
	s := mctest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	whenServing(t, s, cancel)
	o := mcbenchIn(ctx, nil, "run", "-s", s.Addr(), "--keys", "100", "--warmup", "0s", "-r", "1k", "-d", "60s", "--timeout", "5s")
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
	o.want(t, exitUntrusted, "somebody else uses these")
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
