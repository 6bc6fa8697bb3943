package mctest_test

import (
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// inBubble runs a test on a server in memory, with fake time.
func inBubble(t *testing.T, test func(t *testing.T, srv *mctest.Server, k *talker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := mctest.Start(t, mctest.Config{NoListen: true, Seed: 1})
		test(t, srv, pipeTalker(t, srv))
	})
}

// took checks that as much time has passed since start.
func took(t *testing.T, start time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(start); got != want {
		t.Errorf("took %v, want %v", got, want)
	}
}

func TestSlowDelaysEachReplyOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Slow(300 * time.Millisecond)
		start := time.Now()
		k.send(strings.Repeat("get a\r\n", 100))
		k.expect(strings.Repeat("END\r\n", 100))
		took(t, start, 300*time.Millisecond)
		k.send("get a\r\n")
		time.Sleep(100 * time.Millisecond)
		k.send("version\r\n")
		k.expect("END\r\n")
		took(t, start, 600*time.Millisecond)
		k.expect("VERSION 1.6.18\r\n")
		took(t, start, 700*time.Millisecond)
	})
}

func TestHealLetsSlowRepliesGoAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Slow(time.Hour)
		start := time.Now()
		k.send("get a\r\nversion\r\n")
		synctest.Wait()
		check(t, srv.Heal())
		k.expect("END\r\nVERSION 1.6.18\r\n")
		k.send("get a\r\n")
		k.expect("END\r\n")
		took(t, start, 0)
	})
}

func TestDripSendsByteByByte(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Drip(10 * time.Millisecond)
		start := time.Now()
		k.send("get a\r\n")
		for i, b := range "END\r\n" {
			k.expect(string(b))
			took(t, start, time.Duration(i)*10*time.Millisecond)
		}
	})
}

func TestSplitSendsTheSameInPieces(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		k.ask("set a 0 0 10\r\n0123456789\r\n")
		srv.Split()
		const reply = "VALUE a 0 10\r\n0123456789\r\nEND\r\n"
		reads := 0
		for range 50 {
			k.send("get a\r\n")
			for got := ""; got != reply; reads++ {
				b := make([]byte, 100)
				n, err := k.nc.Read(b)
				got += string(b[:n])
				if err != nil || !strings.HasPrefix(reply, got) {
					t.Fatalf("got %q, %v", got, err)
				}
			}
		}
		if reads < 2*50 {
			t.Errorf("50 replies came in %d pieces", reads)
		}
	})
}

func TestEveryNthRequestIsReset(t *testing.T) {
	srv := mctest.Start(t)
	srv.Reset(3)
	for range 4 {
		k := dialTalker(t, srv.Addr())
		k.send("set a 0 0 1\r\n1\r\nget a\r\n")
		k.expect("STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n")
		k.send("incr a 1\r\nincr a 1\r\n")
		k.expectEnd(syscall.ECONNRESET)
		if v, _ := srv.Value("a"); v != "2" {
			t.Fatalf("a is %q: the request that was reset, and no other, must have been carried out", v)
		}
	}
	check(t, srv.Heal())
	dialTalker(t, srv.Addr()).ask("get a\r\nget a\r\nget a\r\nget a\r\n")
}

func TestEveryNthDialIsReset(t *testing.T) {
	srv := mctest.Start(t)
	srv.ResetDials(2)
	for range 3 {
		dialTalker(t, srv.Addr()).ask("version\r\n")
		// The reset may come before or after the dial is through.
		waitFor(t, func() bool { return srv.Stats().Conns > 0 })
		conns := srv.Stats().TotalConns
		if got := func() string {
			nc, err := dialOnce(srv.Addr())
			if err != nil {
				return closed
			}
			defer nc.Close()
			return (&talker{t: t, nc: nc}).ask("version\r\n")
		}(); got != closed {
			t.Errorf("second dial got %q", got)
		}
		waitFor(t, func() bool { return srv.Stats().TotalConns == conns+1 })
	}
}

func TestGarbageIsAsLongAsTheReplyAndRepeatable(t *testing.T) {
	replies := make([]string, 2)
	for i := range replies {
		inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
			srv.Garbage(2)
			k.send("version\r\nversion\r\nversion\r\n")
			k.expect("VERSION 1.6.18\r\n")
			b := make([]byte, len("VERSION 1.6.18\r\n"))
			for n := range b {
				if _, err := k.nc.Read(b[n : n+1]); err != nil {
					t.Fatal(err)
				}
			}
			k.expect("VERSION 1.6.18\r\n")
			replies[i] = string(b)
		})
	}
	if replies[0] != replies[1] || replies[0] == "VERSION 1.6.18\r\n" {
		t.Errorf("garbage %q, then %q", replies[0], replies[1])
	}
}

func TestHalfReplies(t *testing.T) {
	srv := mctest.Start(t)
	srv.CloseMidReply(2)
	k := dialTalker(t, srv.Addr())
	k.send("version\r\nversion\r\nversion\r\n")
	k.expect("VERSION 1.6.18\r\nVERSION ")
	k.expectEnd(nil)
	check(t, srv.Heal())

	srv.StallMidReply(2)
	k, other := dialTalker(t, srv.Addr()), dialTalker(t, srv.Addr())
	k.send("version\r\nversion\r\n")
	k.expect("VERSION 1.6.18\r\nVERSION ")
	other.send("version\r\n")
	other.expect("VERSION 1.6.18\r\n")
	k.send("get a\r\n")
	k.expectSilence()
	check(t, srv.Heal())
	k.expect("1.6.18\r\nEND\r\n")
	k.ask("get a\r\n")
}

func TestSwallowAndRepeatPutTheStreamOutOfStep(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Swallow(2)
		k.send("version\r\nget a\r\nmn\r\ntouch a 0\r\n")
		k.expect("VERSION 1.6.18\r\nMN\r\n")
		check(t, srv.Heal())
		srv.Repeat(2)
		k.send("version\r\nget a\r\nmn\r\n")
		k.expect("VERSION 1.6.18\r\nEND\r\nEND\r\nMN\r\n")
	})
}

func TestFaultsOfRepliesAddUp(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Slow(time.Second)
		srv.Drip(time.Millisecond)
		srv.Repeat(1)
		start := time.Now()
		k.send("get a\r\n")
		k.expect("END\r\nEND\r\n")
		took(t, start, time.Second+9*time.Millisecond)
		check(t, srv.Hang())
		k.send("get a\r\n")
		time.Sleep(time.Hour)
		start = time.Now()
		check(t, srv.Heal())
		k.expect("END\r\n")
		took(t, start, 0)
	})
}

func TestRepliesUnderwayWaitForAHungServer(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Slow(time.Second)
		k.send("get a\r\n")
		synctest.Wait()
		check(t, srv.Hang())
		time.Sleep(time.Hour)
		k.expectSilence()
		check(t, srv.Heal())
		k.expect("END\r\n")
	})
}

func TestAnyAmountOfRepliesFlows(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Slow(time.Millisecond)
		reply := "VALUE a 0 100000\r\n" + strings.Repeat("x", 100_000) + "\r\nEND\r\n"
		k.ask("set a 0 0 100000\r\n" + strings.Repeat("x", 100_000) + "\r\n")
		for range 30 {
			k.send("get a\r\n")
			k.expect(reply)
		}
	})
}

func TestQuietRequestsCountForReset(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *mctest.Server, k *talker) {
		srv.Reset(2)
		k.send("set a 0 0 1 noreply\r\n1\r\nset b 0 0 1 noreply\r\n1\r\n")
		_ = k.nc.SetReadDeadline(time.Now().Add(patience))
		if n, err := k.nc.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("read %d, %v", n, err)
		}
	})
}
