package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// diffCmd is mcbench diff.
type diffCmd struct {
	Before string `arg:"" help:"Report saved by --json."`
	After  string `arg:"" help:"Report to compare with it."`
	Force  bool   `help:"Compare although the settings differ."`
}

// Help is printed below the flags' headline.
func (*diffCmd) Help() string {
	return `Examples:
  mcbench run -s 127.0.0.1 --json before.json
  mcbench run -s 127.0.0.1 --json after.json
  mcbench diff before.json after.json

Two runs differ by noise, too: mcbench compare tells how much of a ratio is real.`
}

// Run compares two saved reports.
func (c *diffCmd) Run(a *app) error {
	before, err := readReport(c.Before)
	after, err2 := readReport(c.After)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if different := settings(before, after); len(different) > 0 {
		if !c.Force {
			return &exitError{exitUsage, "the settings differ, so the figures cannot be compared (--force does it all the same):\n  " +
				strings.Join(different, "\n  ")}
		}
		fmt.Fprintf(a.stdout, "settings differ:\n  %s\n\n", strings.Join(different, "\n  "))
	}
	writeDiff(a.stdout, before, after)
	return nil
}

func readReport(path string) (*report.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := report.ReadJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// settings names what was asked for differently. The servers' addresses may differ, their
// number and weights may not; the client may: that is often the point.
func settings(a, b *report.Report) []string {
	var out []string
	x, y := reflect.ValueOf(a.Config), reflect.ValueOf(b.Config)
	for i := range x.NumField() {
		name := strings.Split(x.Type().Field(i).Tag.Get("json"), ",")[0]
		if name == "servers" {
			if w, v := weights(a.Config.Servers), weights(b.Config.Servers); w != v {
				out = append(out, fmt.Sprintf("weights: %s and %s", w, v))
			}
			continue
		}
		if v, w := x.Field(i).Interface(), y.Field(i).Interface(); !reflect.DeepEqual(v, w) {
			out = append(out, fmt.Sprintf("%s: %v and %v", name, v, w))
		}
	}
	return out
}

func weights(servers []string) string {
	var out []string
	for _, s := range servers {
		out = append(out, s[strings.LastIndex(s, "=")+1:])
	}
	return strings.Join(out, ":")
}

func writeDiff(w io.Writer, a, b *report.Report) {
	fmt.Fprintf(w, "%-26s %14s %14s %9s\n", "", a.Client, b.Client, "ratio")
	row := func(name string, x, y float64) {
		ratio := "-"
		if x != 0 {
			ratio = fmt.Sprintf("%.3f", y/x)
		}
		fmt.Fprintf(w, "%-26s %14s %14s %9s\n", name, report.Millis(x), report.Millis(y), ratio)
	}
	for _, p := range report.SortedPercents(a.Percentiles["response"]) {
		if y, ok := b.Percentiles["response"][p]; ok {
			row("p"+p+" ms, from due", a.Percentiles["response"][p], y)
		}
	}
	row("worst ms", a.Totals.MaxMS, b.Totals.MaxMS)
	for _, p := range report.SortedPercents(a.Percentiles["service"]) {
		if y, ok := b.Percentiles["service"][p]; ok && p != "100" {
			row("p"+p+" ms, from the send", a.Percentiles["service"][p], y)
		}
	}
	row("completed /s", a.Totals.DonePS, b.Totals.DonePS)
	row("failed", float64(a.Totals.Failed), float64(b.Totals.Failed))
	row("CPU seconds", a.Env.CPUSeconds, b.Env.CPUSeconds)
	for i, r := range []*report.Report{a, b} {
		for name, c := range r.Checks {
			if !c.OK {
				fmt.Fprintf(w, "%s run, %s: %s\n", [2]string{"first", "second"}[i], name, c.Text)
			}
		}
	}
}
