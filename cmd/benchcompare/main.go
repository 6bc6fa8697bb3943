// Command benchcompare measures ringbeat against gomemcache on real memcached and
// prints ratios. Both clients run in this process, in alternating slices of the same
// run, each with its best settings: ringbeat's defaults, gomemcache with as many idle
// connections as goroutines. It needs the program memcached and talks to 127.0.0.1
// only.
//
// Absolute figures depend on the machine and on what else runs there; the ratios with
// their intervals are what may be quoted.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 3, "rounds per cell; a round is one slice of each side in the order A B B A")
	slice := flag.Duration("slice", time.Second, "length of one slice; a side has two in a round")
	only := flag.String("only", "", "run only rows whose name has one of these words, comma separated")
	flag.Parse()
	if *rounds < 1 || *slice < 10*time.Millisecond || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "benchcompare: -rounds must be at least 1 and -slice at least 10ms; there are no arguments")
		os.Exit(2)
	}
	if err := run(*rounds, *slice, strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "benchcompare:", err)
		os.Exit(1)
	}
}

func run(rounds int, slice time.Duration, only []string) error {
	servers, err := startServers(3)
	if err != nil {
		return err
	}
	defer servers.stop()
	fmt.Printf("memcached -t 2 on 127.0.0.1, GOMAXPROCS %d, %d rounds of 2 x %v per side, interleaved A B B A\n",
		runtime.GOMAXPROCS(0), rounds, slice)
	fmt.Println("x = ringbeat / gomemcache: median of the rounds [lowest .. highest]")
	fmt.Println()
	fmt.Printf("%-26s %5s  %-22s %-22s %-22s %9s %9s %8s\n",
		"work", "gor.", "throughput x", "p99 x", "client CPU per op x", "ops/s", "cli us/op", "srv us/op")
	for _, w := range works() {
		if !w.chosen(only) {
			continue
		}
		for _, g := range w.goroutines {
			if err := measure(servers, w, g, rounds, slice); err != nil {
				return fmt.Errorf("%s at %d goroutines: %w", w.name, g, err)
			}
		}
	}
	return nil
}

func (w work) chosen(only []string) bool {
	for _, word := range only {
		if strings.Contains(w.name, word) {
			return true
		}
	}
	return false
}
