package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/ringbeat/ringbeat/internal/proto"
)

func TestWhatErrorsMean(t *testing.T) {
	op := func(err error) error { return &net.OpError{Op: "read", Err: os.NewSyscallError("read", err)} }
	for _, tc := range []struct {
		err                     error
		fresh, connected, stats bool
		want                    eventKind
	}{
		{nil, true, true, false, good},
		{nil, false, true, true, identified},
		{os.ErrDeadlineExceeded, true, true, false, timedOut},
		{&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, true, false, false, timedOut},
		{os.ErrDeadlineExceeded, false, true, true, timedOut},
		{errReplied, false, true, false, timedOut},
		{errCut, false, true, false, cut},
		{op(syscall.ECONNREFUSED), true, false, false, failed},
		{op(syscall.EHOSTUNREACH), true, false, false, failed},
		{&net.DNSError{IsNotFound: true}, true, false, false, failed},
		{op(syscall.EMFILE), true, false, false, ourFault},
		{op(syscall.EADDRNOTAVAIL), true, false, false, ourFault},
		{fmt.Errorf("wrapped: %w", op(syscall.ENFILE)), true, false, false, ourFault},
		{io.EOF, true, true, false, failed},
		{op(syscall.ECONNRESET), true, true, false, failed},
		{io.EOF, false, true, false, closed},
		{op(syscall.ECONNRESET), false, true, false, closed},
		{op(syscall.EPIPE), false, true, false, closed},
		{io.ErrUnexpectedEOF, false, true, false, failed},
		{proto.ErrNotMemcached, false, true, false, failed},
		{proto.ErrAuth, true, false, true, failed},
		{io.EOF, false, true, true, identified},
		{op(syscall.ECONNRESET), true, true, true, identified},
		{errors.New("server replied ERROR"), false, true, true, identified},
	} {
		a := answer{event: event{err: tc.err, fresh: tc.fresh}}
		if got := classify(plan{stats: tc.stats}, tc.connected, &a); got != tc.want {
			t.Errorf("%v, fresh %v, stats %v: %v, want %v", tc.err, tc.fresh, tc.stats, got, tc.want)
		}
	}
}

func TestConfigMistakesAreAllNamed(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	if err := (Config{HoldDown: -1, Initial: Probation}).Validate(); err != nil {
		t.Errorf("no hold-down: %v", err)
	}
	bad := Config{Interval: -1, Timeout: -2, Fall: -1, Rise: -1, Initial: Ejected}
	err := bad.Validate()
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 5 {
		t.Errorf("five mistakes: %v", err)
	}
	c, zero := bad.filled(), Config{}.filled()
	if c.Interval != zero.Interval || c.Timeout != zero.Timeout || c.Fall != 3 || c.Rise != 2 || c.Initial != Healthy {
		t.Errorf("mended to %+v", c)
	}
}

func TestStatesHaveNames(t *testing.T) {
	got := fmt.Sprint(Healthy, Suspect, Ejected, Probation, State(9), Serve, Move, FailFast)
	if want := "healthy suspect ejected probation state(9) serve move fail fast"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
