package ring_test

import (
	"fmt"

	"github.com/ringbeat/ringbeat/ring"
)

func Example() {
	servers, err := ring.ParseServers("cache1=2, cache2, cache3")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := ring.New(ring.Ketama, servers...)
	if err != nil {
		fmt.Println(err)
		return
	}
	home, _ := r.Pick("user:42")
	fmt.Println("home:", home.Addr)

	// The home is down: its keys go to their stand-ins, the others stay.
	standIn, _ := r.Without(home.Name).Pick("user:42")
	fmt.Println("stand-in:", standIn.Addr)
	for s := range r.Walk("user:42") {
		fmt.Println("walk:", s.Name)
	}
	// Output:
	// home: cache2:11211
	// stand-in: cache1:11211
	// walk: cache2:11211
	// walk: cache1:11211
	// walk: cache3:11211
}

func ExampleRing_Replace() {
	r, err := ring.New("", ring.Server{Name: "a", Addr: "10.0.0.1"}, ring.Server{Name: "b", Addr: "10.0.0.2"})
	if err != nil {
		fmt.Println(err)
		return
	}
	before, _ := r.Pick("user:42")
	r, err = r.Replace(before.Name, ring.Server{Addr: "10.0.0.3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	after, _ := r.Pick("user:42")
	fmt.Println(after.Name == before.Name, after.Addr)
	// Output: true 10.0.0.3:11211
}

func ExampleNew_layout() {
	// The same servers as in the configuration of a PHP client that sets
	// Memcached::OPT_LIBKETAMA_COMPATIBLE, in the same order.
	r, err := ring.New(ring.Libmemcached,
		ring.Server{Addr: "10.10.0.1:11211"}, ring.Server{Addr: "10.10.0.2:11211"}, ring.Server{Addr: "10.10.0.3:11211"})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, _ := r.Pick("user:42")
	fmt.Println(s.Addr)
	_, err = ring.New("ketama", ring.Server{Addr: "a", Weight: -1}, ring.Server{Addr: "b", Weight: 2}, ring.Server{Addr: "b"})
	fmt.Println(err)
	// Output:
	// 10.10.0.3:11211
	// server 1: ring: bad server weight: -1 is not between 0 and 1048576
	// server 3: ring: duplicate server name: "b:11211" is server 2 already
}
