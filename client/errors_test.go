package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/client"
	"github.com/ringbeat/ringbeat/heartbeat"
	"github.com/ringbeat/ringbeat/pool"
	"github.com/ringbeat/ringbeat/ring"
)

func TestSentinelsAreGomemcaches(t *testing.T) {
	for ours, theirs := range map[error]error{
		client.ErrCacheMiss: memcache.ErrCacheMiss, client.ErrNotStored: memcache.ErrNotStored,
		client.ErrCASConflict: memcache.ErrCASConflict, client.ErrMalformedKey: memcache.ErrMalformedKey,
		client.ErrNoServers: memcache.ErrNoServers, client.ErrServerError: memcache.ErrServerError,
	} {
		if ours != theirs {
			t.Errorf("%v is not gomemcache's %v", ours, theirs)
		}
	}
}

func TestSafeToRetry(t *testing.T) {
	sent := &client.OpError{Op: "incr", Sent: true, Err: pool.ErrTimeout}
	unsent := &client.OpError{Op: "incr", Err: pool.ErrTimeout}
	read := &client.OpError{Op: "get", Sent: true, Err: pool.ErrTimeout}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{client.ErrCacheMiss, false},
		{sent, false},
		{unsent, true},
		{read, true},
		{errors.Join(unsent, read), true},
		{errors.Join(unsent, sent), false},
		{errors.Join(unsent, errors.New("unknown")), false},
	} {
		if got := client.SafeToRetry(c.err); got != c.want {
			t.Errorf("SafeToRetry(%v) = %v", c.err, got)
		}
	}
}

func TestOpErrorKeepsTheKeyToItself(t *testing.T) {
	err := error(&client.OpError{Op: "get", Server: "cache1", Key: "user:mail@example.com", Sent: true, Err: pool.ErrTimeout})
	if text := err.Error(); strings.Contains(text, "user") || !strings.Contains(text, "cache1") || !strings.Contains(text, "get") {
		t.Errorf("text %q", text)
	}
	if !errors.Is(err, pool.ErrTimeout) || !err.(*client.OpError).Timeout() {
		t.Error("the cause is lost")
	}
	if !(&client.OpError{Err: context.DeadlineExceeded}).Timeout() || (&client.OpError{Err: pool.ErrDial}).Timeout() {
		t.Error("Timeout is wrong")
	}
}

func TestNewNamesEverythingThatIsWrong(t *testing.T) {
	_, err := client.New(client.Config{
		Servers: []ring.Server{{Name: "a b"}, {Name: "c", Weight: -1}, {Name: "d:1"}, {Name: "d:1"}},
		Layout:  "none", Timeout: -1, OnEject: 7,
		Pool:      pool.Config{Conns: -1, Username: "me"},
		Heartbeat: heartbeat.Config{Interval: -1, Initial: heartbeat.Probation},
		Password:  "without a name",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []error{ring.ErrBadName, ring.ErrBadWeight, ring.ErrDuplicate, ring.ErrUnknownLayout} {
		wantErr(t, err, want)
	}
	for _, want := range []string{"negative duration", "OnEject 7", "Conns -1", "Interval", "belong to the client", "Password without Username"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}
	_, err = client.New(client.Config{})
	wantErr(t, err, client.ErrNoServers)
	_, err = client.New(client.Config{Servers: []ring.Server{{Name: "a"}}, Timeout: time.Second, AttemptTimeout: time.Second})
	if err == nil || !strings.Contains(err.Error(), "AttemptTimeout") {
		t.Errorf("an attempt as long as the call: %v", err)
	}
}

func TestNewDoesNotMindServersThatAreDown(t *testing.T) {
	c := newClient(t, client.Config{Servers: []ring.Server{{Name: "127.0.0.1:1"}, {Name: "127.0.0.1:2"}}})
	if _, err := c.Get(ctx, "key"); err == nil || errors.Is(err, client.ErrCacheMiss) {
		t.Errorf("get: %v", err)
	}
}
