// Command mcbench is a memcached load tester that does not hide an outage: requests are due
// at moments fixed beforehand, latency counts from those moments, and what was not sent or
// failed stands in the result.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/target"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // could not run, or not one request succeeded
	exitUsage       = 2
	exitUntrusted   = 98 // --strict: a check of mcbench itself failed
	exitThreshold   = 99
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends mcbench at once
	a := &app{ctx: ctx, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(a.main(os.Args[1:]))
}

// app is what commands need of the world.
type app struct {
	ctx            context.Context
	stdout, stderr io.Writer
	getenv         func(string) string
}

// exitError ends mcbench with a code of its own; an empty text has been said already.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// cli is the grammar of the command line.
type cli struct {
	Run      runCmd      `cmd:"" help:"Offer a load to servers and measure it."`
	Failover failoverCmd `cmd:"" help:"Break a server under load and show what each client makes of it."`
	Compare  compareCmd  `cmd:"" help:"Compare two clients in alternating slices."`
	Ring     ringCmd     `cmd:"" help:"Show how a ring spreads keys, and what a change moves."`
	Find     findCmd     `cmd:"" help:"Find the highest rate at which a latency goal holds."`
	Diff     diffCmd     `cmd:"" help:"Compare two saved reports."`
	Replay   replayCmd   `cmd:"" help:"Replay a cache trace."`
	Serve    serveCmd    `cmd:"" help:"Run embedded servers for tests by hand."`
	Fault    faultCmd    `cmd:"" help:"Break or heal a server of mcbench serve."`
	Doctor   doctorCmd   `cmd:"" help:"Tell in three seconds what can be measured on this machine."`
}

func (a *app) main(args []string) int {
	if len(args) == 0 {
		return a.code(a.tour())
	}
	return a.code(a.command(args))
}

func (a *app) command(args []string) error {
	var exited *int
	c := &cli{}
	parser, err := kong.New(c,
		kong.Name("mcbench"),
		kong.Description(description),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(code int) { exited = &code }),
		kong.Vars{"client": "ringbeat", "clients": strings.Join(target.Names(), ", "), "rivals": "ringbeat,gomemcache"},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return fmt.Errorf("bug: %w", err)
	}
	k, err := parser.Parse(args)
	if exited != nil { // --help has been printed
		return &exitError{code: *exited}
	}
	if err != nil {
		return &exitError{exitUsage, err.Error() + "\n(mcbench --help, mcbench run --help)"}
	}
	return k.Run(a)
}

func (a *app) code(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if errors.Is(err, context.Canceled) {
		code, err = exitInterrupted, errors.New("interrupted before there was anything to report")
	}
	if err.Error() != "" {
		fmt.Fprintln(a.stderr, "mcbench:", err)
	}
	return code
}

const description = `A memcached load tester that does not hide an outage.

Without arguments: a tour of 12 seconds with servers of its own.

  mcbench run -s 127.0.0.1:11211 -r 10k -d 10s
  mcbench run -s 10.0.0.1=2,10.0.0.2 -r 20k --threshold 'p99<1ms' --json out.json
  mcbench failover --fault hang --at 4s --for 4s
`
