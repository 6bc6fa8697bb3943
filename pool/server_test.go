package pool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// patience bounds what must happen at once; only a failing test waits so long.
const patience = 10 * time.Second

// memcached starts the real program with args and returns its address.
func memcached(t testing.TB, args ...string) string {
	t.Helper()
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	runMemcached(t, addr, append([]string{"-l", "127.0.0.1", "-p", port}, args...)...)
	return addr
}

// memcachedOn starts the real program on a unix socket and returns its address.
func memcachedOn(t testing.TB, path string) string {
	t.Helper()
	runMemcached(t, "unix:"+path, "-s", path)
	return "unix:" + path
}

func runMemcached(t testing.TB, addr string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("memcached")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("memcached is not installed")
		}
		t.Skip("memcached is not installed")
	}
	if os.Getuid() == 0 {
		args = append(args, "-u", "root")
	}
	cmd := exec.Command(path, append(args, "-U", "0")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("memcached said: %s", said.Bytes())
		}
	})
	network, address := SplitAddr(addr)
	eventually(t, "memcached listens", func() bool {
		nc, err := net.Dial(network, address)
		if err == nil {
			_ = nc.Close()
		}
		return err == nil
	})
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// eventually waits until what holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after %v: %s", patience, what)
		}
	}
}

// within fails the test if f has not returned in time.
func within(t testing.TB, limit time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("not over after %v: %s", limit, what)
	}
}

// newPool makes a pool that is closed when the test ends. On a busy machine a dial may
// take long: its time is part of a test only where the test gives one.
func newPool(t testing.TB, addr string, cfg Config) *Pool {
	t.Helper()
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = patience
	}
	p, err := New(addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { within(t, patience, "Close", p.Close) })
	return p
}

// script serves each connection of a listener with serve, which begins after the
// greeting, and returns the address.
func script(t testing.TB, serve func(*peer)) string {
	t.Helper()
	return scriptOver(t, nil, serve)
}

// scriptOver is script over TLS, where a configuration is given.
func scriptOver(t testing.TB, overTLS *tls.Config, serve func(*peer)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	running.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			if overTLS != nil {
				nc = tls.Server(nc, overTLS)
			}
			running.Go(func() { serveScript(ctx, nc, serve) })
		}
	})
	t.Cleanup(func() {
		stop()
		_ = ln.Close()
		within(t, patience, "the scripts", running.Wait)
	})
	return ln.Addr().String()
}

// scriptDial is script without a network: a Config.Dial for a synctest bubble.
func scriptDial(serve func(*peer)) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serveScript(context.Background(), theirs, serve)
		return ours, nil
	}
}

func serveScript(ctx context.Context, nc net.Conn, serve func(*peer)) {
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	defer func() { _ = nc.Close() }()
	p := &peer{Conn: nc, r: bufio.NewReaderSize(nc, 64<<10), ctx: ctx}
	if p.line() == "mn" {
		p.say("MN\r\n")
		serve(p)
	}
}

// peer is the server's end of a connection.
type peer struct {
	net.Conn
	r   *bufio.Reader
	ctx context.Context // ends with the test
}

// line returns the next command line without its end, "" at the end of all.
func (p *peer) line() string {
	s, _ := p.r.ReadString('\n')
	return strings.TrimSuffix(s, "\r\n")
}

// opaque returns the O flag of a command line, as a reply carries it.
func opaque(line string) string { return line[strings.LastIndexByte(line, 'O'):] }

func (p *peer) say(s string) { _, _ = io.WriteString(p, s) }

// sayValue answers an mg with v as the value, or a gets with v for each key.
func (p *peer) sayValue(line, v string) {
	if keys, ok := strings.CutPrefix(line, "gets "); ok {
		for _, key := range strings.Fields(keys) {
			p.say("VALUE " + key + " 0 " + strconv.Itoa(len(v)) + " 1\r\n" + v + "\r\n")
		}
		p.say("END\r\n")
		return
	}
	p.say("VA " + strconv.Itoa(len(v)) + " f0 c1 " + opaque(line) + "\r\n" + v + "\r\n")
}

// untilClosed reads and throws away until the client closes.
func (p *peer) untilClosed() { _, _ = io.Copy(io.Discard, p.r) }

// echo answers each get with its own key.
func echo(p *peer) {
	for line := p.line(); line != ""; line = p.line() {
		p.sayValue(line, strings.Fields(line)[1])
	}
}

func get(key string) *Request { return &Request{Request: proto.Request{Op: proto.OpGet, Key: key}} }

func set(key, value string) *Request {
	return &Request{Request: proto.Request{Op: proto.OpSet, Key: key, Value: []byte(value)}}
}

// wantSent checks that err is an *Error with cause and Sent.
func wantSent(t testing.TB, err, cause error, sent bool) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, cause) || e.Sent != sent {
		t.Fatalf("got %T %v (Sent %v), want %v with Sent %v", err, err, e != nil && e.Sent, cause, sent)
	}
}

// must fails the test for an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stand reads nothing until the test is over.
func (p *peer) stand() { <-p.ctx.Done() }

// buffered gives one direction of a net.Pipe what each socket has: room for what
// the other side has not read yet.
type buffered struct {
	net.Conn
	out  chan []byte
	gone chan struct{}
	once sync.Once
}

func newBuffered(nc net.Conn) *buffered {
	b := &buffered{Conn: nc, out: make(chan []byte, 64), gone: make(chan struct{})}
	go func() {
		for {
			select {
			case x := <-b.out:
				if _, err := b.Conn.Write(x); err != nil {
					return
				}
			case <-b.gone:
				return
			}
		}
	}()
	return b
}

func (b *buffered) Write(x []byte) (int, error) {
	select {
	case b.out <- bytes.Clone(x):
		return len(x), nil
	case <-b.gone:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error {
	b.once.Do(func() { close(b.gone) })
	return b.Conn.Close()
}
