package mctest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// batch is a pipeline of n requests of each kind, and the length of the replies.
func batch(n int) (requests []byte, replies int) {
	var b, want strings.Builder
	value := strings.Repeat("x", 100)
	for i := range n {
		fmt.Fprintf(&b, "ms key%d 100\r\n%s\r\nmg key%d v\r\nget key%d\r\nmg nope v q\r\n", i, value, i, i)
		fmt.Fprintf(&want, "HD\r\nVA 100\r\n%s\r\nVALUE key%d 0 100\r\n%s\r\nEND\r\n", value, i, value)
	}
	return []byte(b.String()), want.Len()
}

// discard is a scripted connection without memory.
type discard struct{ scripted }

func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func TestRequestsAllocateNothing(t *testing.T) {
	s, err := New(Config{NoListen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	requests, _ := batch(16)
	c := newConn(s, s.store(), &discard{}, nil)
	c.direct = true
	round := func() {
		for len(c.in) < len(requests) {
			c.in = append(c.in, 0)
		}
		c.r, c.w = 0, copy(c.in, requests)
		if !c.serve() {
			t.Fatal("the connection ended")
		}
	}
	round() // stores the keys
	if n := testing.AllocsPerRun(100, round); n > 0 {
		t.Errorf("%v allocations for 64 requests on known keys, want 0", n)
	}
}

func TestPipelinedRequestsAreAnsweredInOneWrite(t *testing.T) {
	requests, want := batch(16)
	nc := &countingConn{scripted: scripted{chunks: [][]byte{bytes.Clone(requests[:0]), requests}}}
	s, err := New(Config{NoListen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := newConn(s, s.store(), nc, nil)
	c.direct = true
	c.in = make([]byte, fullBuffer)
	c.run()
	if nc.writes != 1 || nc.written.Len() != want {
		t.Errorf("%d writes, %d bytes; want 1 write of %d bytes", nc.writes, nc.written.Len(), want)
	}
}

type countingConn struct {
	scripted
	writes int
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes++
	return c.scripted.Write(b)
}

// BenchmarkPipeline is a blaster without parsing on one connection: requests/s
// over loopback, with the client's share of the CPU in it.
func BenchmarkPipeline(b *testing.B) {
	for _, depth := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(4*depth), func(b *testing.B) {
			s := Start(b)
			nc, err := net.Dial("tcp", s.Addr())
			if err != nil {
				b.Fatal(err)
			}
			defer nc.Close()
			requests, replies := batch(depth)
			got := make([]byte, replies)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := nc.Write(requests); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(nc, got); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(4*depth*b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
}

// BenchmarkServe is the server's own work, without a socket.
func BenchmarkServe(b *testing.B) {
	s, err := New(Config{NoListen: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	requests, _ := batch(64)
	c := newConn(s, s.store(), &discard{}, nil)
	c.direct = true
	c.in = make([]byte, len(requests))
	b.ReportAllocs()
	for b.Loop() {
		c.r, c.w = 0, copy(c.in, requests)
		c.serve()
	}
	b.ReportMetric(float64(256*b.N)/b.Elapsed().Seconds(), "req/s")
}
