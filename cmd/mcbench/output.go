package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/bench"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/view"
)

// isTerminal returns the file behind w if it is a terminal.
func isTerminal(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) color(w io.Writer, noColor bool) bool {
	_, tty := isTerminal(w)
	return tty && !noColor && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
}

// view chooses how the run is shown on stderr.
func (a *app) view(quiet, noColor bool) bench.View {
	f, tty := isTerminal(a.stderr)
	switch {
	case quiet:
		return view.Silent{W: a.stderr}
	case tty && a.getenv("TERM") != "dumb":
		width := func() int {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
				return w
			}
			return 80
		}
		return view.NewLive(a.stderr, width, a.color(a.stderr, noColor))
	}
	return view.NewPlain(a.stderr)
}

// openHDR opens the file for interval histograms, if one is wanted.
func (f *reportFlags) openHDR(c *bench.Config) (closeFile func() error, err error) {
	if f.HDR == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(f.HDR)
	if err != nil {
		return nil, err
	}
	c.HDR = file
	return file.Close, nil
}

// emit prints and saves a report.
func (a *app) emit(f *reportFlags, r *report.Report, summary func(io.Writer, report.Style)) error {
	if !f.Quiet && f.JSON != "-" && f.CSV != "-" && f.HTML != "-" {
		summary(a.stdout, report.Style{Color: a.color(a.stdout, f.NoColor)})
	}
	return errors.Join(
		a.save(f.JSON, r.WriteJSON),
		a.save(f.CSV, r.WriteCSV),
		a.save(f.HTML, r.WriteHTML),
	)
}

// writeJSON writes v indented.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) save(path string, write func(io.Writer) error) error {
	switch path {
	case "":
		return nil
	case "-":
		return write(a.stdout)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// conduct runs a configuration, prints and saves the report and decides the exit code.
func (a *app) conduct(cfg bench.Config, f *reportFlags, summary func(*report.Report, io.Writer, report.Style)) error {
	closeHDR, err := f.openHDR(&cfg)
	if err != nil {
		return err
	}
	r, err := bench.Run(a.ctx, cfg)
	if err = errors.Join(err, closeHDR()); err != nil {
		return err
	}
	err = a.emit(f, r, func(w io.Writer, st report.Style) { summary(r, w, st) })
	return errors.Join(err, verdict(f, r))
}

// verdict turns a report into the exit code.
func verdict(f *reportFlags, r *report.Report) error {
	switch {
	case r.Interrupted:
		return &exitError{code: exitInterrupted}
	case r.Totals.OK == 0:
		return &exitError{exitFailed, "not one request succeeded"}
	}
	for _, t := range r.Thresholds {
		if !t.Pass {
			return &exitError{exitThreshold, "threshold failed: " + t.Text}
		}
	}
	if f.Strict {
		for name, c := range r.Checks {
			if !c.OK {
				return &exitError{exitUntrusted, name + ": " + c.Text}
			}
		}
	}
	return nil
}
