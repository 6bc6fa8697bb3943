package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/fault"
)

// serveCmd is mcbench serve.
type serveCmd struct {
	N         int `short:"n" name:"n" default:"3" help:"Number of servers (${default})."`
	Port      int `default:"22500" help:"Port of the first server; the others follow (${default})."`
	FaultPort int `default:"22599" help:"Where mcbench fault talks to (${default})."`
}

// Help is printed below the flags' headline.
func (*serveCmd) Help() string {
	return `Examples:
  mcbench serve --n 3 &
  mcbench run -s 127.0.0.1:22500,127.0.0.1:22501,127.0.0.1:22502 -d 60s
  mcbench fault hang 1        # in another window
  mcbench fault heal 1`
}

// Run serves until it is interrupted.
func (c *serveCmd) Run(a *app) error {
	if c.N < 1 || c.N > 64 || c.Port < 1 || c.Port+c.N > 65_535 || c.FaultPort >= c.Port && c.FaultPort < c.Port+c.N {
		return &exitError{exitUsage, "want 1 to 64 servers on free ports, and a fault port of its own"}
	}
	weights := make([]int, c.N)
	for i := range weights {
		weights[i] = 1
	}
	e, err := bench.NewEmbedded(c.Port, weights...)
	if err != nil {
		return err
	}
	defer e.Close()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.FaultPort)))
	if err != nil {
		return err
	}
	for i, s := range e.Servers {
		fmt.Fprintf(a.stdout, "%d  %s\n", i, s.Addr)
	}
	fmt.Fprintf(a.stdout, "faults on %s: mcbench fault hang 0; Ctrl-C ends\n", l.Addr())
	d := &desk{servers: e, broken: make([]fault.Breaker, c.N)}
	defer d.healAll()
	return d.open(a.ctx, l)
}

// open takes orders until ctx ends.
func (d *desk) open(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		nc, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		d.serve(nc)
	}
}

// desk takes orders for faults, one connection at a time.
type desk struct {
	servers *bench.Embedded
	broken  []fault.Breaker // per server; nil: in order
}

// orderTime bounds one order, so that a silent caller does not block the next one.
const orderTime = 2 * time.Second

func (d *desk) serve(nc net.Conn) {
	defer nc.Close()
	if nc.SetDeadline(time.Now().Add(orderTime)) != nil {
		return
	}
	line, err := bufio.NewReader(io.LimitReader(nc, 256)).ReadString('\n')
	if err != nil {
		return
	}
	answer := "ok"
	if err := d.order(strings.Fields(line)); err != nil {
		answer = "error: " + err.Error()
	}
	fmt.Fprintln(nc, answer) // a caller that is gone needs no answer
}

// order carries out FAULT N or heal N.
func (d *desk) order(words []string) error {
	if len(words) != 2 {
		return errors.New("want FAULT SERVER")
	}
	n, err := strconv.Atoi(words[1])
	if err != nil || n < 0 || n >= len(d.broken) {
		return fmt.Errorf("no server %s: they count from 0 to %d", words[1], len(d.broken)-1)
	}
	if d.broken[n] != nil {
		if err := d.broken[n].Heal(); err != nil {
			return err
		}
		d.broken[n] = nil
	}
	if words[0] == "heal" {
		return nil
	}
	spec, err := fault.Parse(words[0])
	if err != nil {
		return err
	}
	b := fault.Embedded(d.servers.Instances[n], spec)
	if err := b.Break(); err != nil {
		return err
	}
	d.broken[n] = b
	return nil
}

func (d *desk) healAll() {
	for _, b := range d.broken {
		if b != nil {
			b.Heal() // the servers end now: an error changes nothing
		}
	}
}

// faultCmd is mcbench fault.
type faultCmd struct {
	Fault     string `arg:"" help:"kill, hang, blackhole, slow:50ms, reset, flap:2s or heal."`
	Server    int    `arg:"" help:"Number of the server, from 0."`
	FaultPort int    `default:"22599" help:"The port of mcbench serve (${default})."`
}

// Run sends an order to mcbench serve.
func (c *faultCmd) Run(a *app) error {
	if c.Fault != "heal" {
		if _, err := fault.Parse(c.Fault); err != nil {
			return &exitError{exitUsage, err.Error()}
		}
	}
	nc, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.FaultPort)), orderTime)
	if err != nil {
		return fmt.Errorf("is mcbench serve running? %w", err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(2 * orderTime)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(nc, "%s %d\n", c.Fault, c.Server); err != nil {
		return err
	}
	answer, err := bufio.NewReader(io.LimitReader(nc, 1024)).ReadString('\n')
	if err != nil {
		return err
	}
	if text, failed := strings.CutPrefix(strings.TrimSpace(answer), "error: "); failed {
		return errors.New(text)
	}
	fmt.Fprintf(a.stdout, "server %d: %s\n", c.Server, c.Fault)
	return nil
}
