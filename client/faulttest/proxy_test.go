package faulttest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between the client and a server and delays what passes, as a long
// way would: much can be under way at a time.
type proxy struct {
	ln     net.Listener
	to     string
	delay  atomic.Int64 // each way
	all    sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: to}
	p.all.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

// slow makes each round trip take this much longer.
func (p *proxy) slow(d time.Duration) { p.delay.Store(int64(d / 2)) }

func (p *proxy) port() string {
	_, port, _ := net.SplitHostPort(p.addr())
	return port
}

// cutAllBut closes all connections but the first few.
func (p *proxy) cutAllBut(first int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns[2*first:] { // both sides of each
		_ = c.Close()
	}
}

func (p *proxy) accept() {
	for {
		conn, err := p.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = conn.Close()
			continue
		}
		if !p.keep(conn, server) {
			return
		}
		p.all.Go(func() { p.pipe(server, conn) })
		p.all.Go(func() { p.pipe(conn, server) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		for _, c := range conns {
			_ = c.Close()
		}
		return false
	}
	p.conns = append(p.conns, conns...)
	return true
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	conns := p.conns
	p.mu.Unlock()
	_ = p.ln.Close()
	for _, c := range conns {
		_ = c.Close()
	}
	p.all.Wait()
}

type parcel struct {
	b   []byte
	due time.Time
}

// pipe carries bytes, each after the delay, and then the end.
func (p *proxy) pipe(to, from net.Conn) {
	parcels := make(chan parcel, 1024)
	p.all.Go(func() {
		for parcel := range parcels {
			time.Sleep(time.Until(parcel.due))
			if _, err := to.Write(parcel.b); err != nil {
				break
			}
		}
		for range parcels { // nobody wants it any more
		}
		_ = to.Close()
	})
	defer close(parcels)
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			parcels <- parcel{b[:n], time.Now().Add(time.Duration(p.delay.Load()))}
		}
		if err != nil {
			if err != io.EOF {
				_ = from.Close()
			}
			return
		}
	}
}
