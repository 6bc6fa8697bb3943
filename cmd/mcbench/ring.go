package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/stat"
	"github.com/ringbeat/ringbeat/ring"
)

// ringCmd is mcbench ring.
type ringCmd struct {
	fleetFlags
	Keys   count    `default:"1M" help:"Number of keys, named PREFIX0 and so on (${default})."`
	Prefix string   `default:"mcbench-" help:"Begin of the keys (${default})."`
	Trace  string   `placeholder:"FILE" help:"Keys from a file instead, one per line; - is standard input."`
	Add    []string `placeholder:"SERVER[=W]" help:"Show which keys move when these servers join."`
	Remove []string `placeholder:"NAME" help:"Show which keys move when these servers leave."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

// Help is printed below the flags' headline.
func (*ringCmd) Help() string {
	return `Examples:
  mcbench ring -s a=2,b,c
  mcbench ring -s a,b,c --add d
  mcbench ring -s a,b,c --remove b --hash libmemcached
  mcbench ring -s a,b,c --trace keys.txt --json`
}

// ringResult is what the command prints.
type ringResult struct {
	Layout  string       `json:"layout"`
	Keys    int64        `json:"keys"`
	Servers []ringServer `json:"servers"`
	MaxMean float64      `json:"max_to_mean"` // of load per weight
	// ChiSquare is the distance of the key counts from the ring's own shares: about Degrees
	// if the key hash spreads well.
	ChiSquare float64     `json:"chi_square"`
	Degrees   int         `json:"degrees_of_freedom"`
	Change    *ringChange `json:"change,omitempty"`
}

type ringServer struct {
	Name   string  `json:"name"`
	Weight int     `json:"weight"`
	Keys   int64   `json:"keys"`
	Share  float64 `json:"share"`      // of the keys
	Ring   float64 `json:"ring_share"` // of the key space
	Ideal  float64 `json:"ideal"`      // by weight
}

type ringChange struct {
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Moved   int64    `json:"moved"`
	Minimum int64    `json:"minimum"` // that any placement by weight would have to move
	Stray   int64    `json:"stray"`   // moved between servers that stay
}

// Run prints how a ring spreads keys. It opens no connection.
func (c *ringCmd) Run(a *app) error {
	list := strings.Join(append(c.Server, c.Servers...), ",")
	servers, err := ring.ParseServers(list)
	if err != nil {
		return &exitError{exitUsage, "servers: " + err.Error()}
	}
	before, err := ring.New(ring.Layout(c.Hash), servers...)
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	after, err := c.change(before)
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	result := newRingResult(c, before)
	if err := c.spread(before, after, result); err != nil {
		return err
	}
	result.finish(before, after)
	if c.JSON {
		return writeJSON(a.stdout, result)
	}
	result.write(a.stdout)
	return nil
}

// change returns the ring after --add and --remove, nil without them.
func (c *ringCmd) change(r *ring.Ring) (*ring.Ring, error) {
	if len(c.Add)+len(c.Remove) == 0 {
		return nil, nil
	}
	var errs []error
	if len(c.Add) > 0 {
		added, err := ring.ParseServers(strings.Join(c.Add, ","))
		errs = append(errs, err)
		for _, s := range added {
			next, err := r.Add(s)
			if errs = append(errs, err); err == nil {
				r = next
			}
		}
	}
	for _, name := range c.Remove {
		next, err := r.Remove(nameIn(r, name))
		if errs = append(errs, err); err == nil {
			r = next
		}
	}
	return r, errors.Join(errs...)
}

// nameIn returns the full name of a server that is given without its port.
func nameIn(r *ring.Ring, name string) string {
	for _, s := range r.Servers() {
		if s.Name == name || s.Name == name+":11211" {
			return s.Name
		}
	}
	return name
}

func newRingResult(c *ringCmd, r *ring.Ring) *ringResult {
	result := &ringResult{Layout: c.Hash, Change: nil}
	total := 0
	for _, s := range r.Servers() {
		total += s.Weight
	}
	for _, s := range r.Servers() {
		result.Servers = append(result.Servers, ringServer{
			Name: s.Name, Weight: s.Weight, Ring: r.Share(s.Name), Ideal: float64(s.Weight) / float64(total),
		})
	}
	if len(c.Add)+len(c.Remove) > 0 {
		result.Change = &ringChange{Added: c.Add, Removed: c.Remove}
	}
	return result
}

// spread places all keys.
func (c *ringCmd) spread(before, after *ring.Ring, result *ringResult) error {
	stays := map[string]bool{}
	if after != nil {
		for _, s := range after.Servers() {
			stays[s.Name] = true
		}
	}
	old := map[string]bool{}
	for _, s := range before.Servers() {
		old[s.Name] = true
	}
	return c.eachKey(func(key string) {
		i := before.Index(key)
		result.Servers[i].Keys++
		result.Keys++
		if after == nil {
			return
		}
		to, _ := after.Pick(key)
		from := result.Servers[i].Name
		if to.Name == from {
			return
		}
		result.Change.Moved++
		if stays[from] && old[to.Name] {
			result.Change.Stray++
		}
	})
}

func (c *ringCmd) eachKey(place func(key string)) error {
	if c.Trace == "" {
		key := []byte(c.Prefix)
		for i := range int(c.Keys) {
			place(string(strconv.AppendInt(key[:len(c.Prefix)], int64(i), 10)))
		}
		return nil
	}
	in := io.Reader(os.Stdin)
	if c.Trace != "-" {
		f, err := os.Open(c.Trace)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if key := strings.TrimSpace(lines.Text()); key != "" {
			place(key)
		}
	}
	return lines.Err()
}

func (r *ringResult) finish(before, after *ring.Ring) {
	var counts []int64
	var shares []float64
	for i := range r.Servers {
		s := &r.Servers[i]
		if r.Keys > 0 {
			s.Share = float64(s.Keys) / float64(r.Keys)
		}
		r.MaxMean = max(r.MaxMean, s.Share/s.Ideal)
		counts, shares = append(counts, s.Keys), append(shares, s.Ring)
	}
	r.ChiSquare, r.Degrees = stat.ChiSquare(counts, shares), len(counts)-1
	if r.Change != nil {
		r.Change.Minimum = int64(r.minimumMoved(after)*float64(r.Keys) + 0.5)
	}
}

// minimumMoved is the share of the keys that must move for the new ring's shares to come
// out of the old ones: what the servers that grow gain.
func (r *ringResult) minimumMoved(after *ring.Ring) float64 {
	old := map[string]float64{}
	for _, s := range r.Servers {
		old[s.Name] = s.Share
	}
	gain := 0.0
	for _, s := range after.Servers() {
		gain += max(0, after.Share(s.Name)-old[s.Name])
	}
	return gain
}

func (r *ringResult) write(w io.Writer) {
	fmt.Fprintf(w, "%s keys on the ring %q\n\n", report.Group(r.Keys), r.Layout)
	fmt.Fprintf(w, "%-30s %6s %12s %9s %9s %9s\n", "server", "weight", "keys", "share %", "ring %", "ideal %")
	for _, s := range r.Servers {
		fmt.Fprintf(w, "%-30s %6d %12s %9.3f %9.3f %9.3f\n", s.Name, s.Weight, report.Group(s.Keys), 100*s.Share, 100*s.Ring, 100*s.Ideal)
	}
	fmt.Fprintf(w, "\nmost loaded server: %.3f times its ideal load\n", r.MaxMean)
	fmt.Fprintf(w, "chi-square of the keys against the ring's shares: %.1f for %d degrees of freedom\n", r.ChiSquare, r.Degrees)
	if c := r.Change; c != nil {
		fmt.Fprintf(w, "\n")
		if len(c.Added) > 0 {
			fmt.Fprintf(w, "added %s  ", strings.Join(c.Added, ", "))
		}
		if len(c.Removed) > 0 {
			fmt.Fprintf(w, "removed %s  ", strings.Join(c.Removed, ", "))
		}
		fmt.Fprintf(w, "\n%s keys move (%.3f %%), at least %s must; %s between servers that stay\n",
			report.Group(c.Moved), 100*float64(c.Moved)/float64(max(r.Keys, 1)), report.Group(c.Minimum), report.Group(c.Stray))
	}
}
