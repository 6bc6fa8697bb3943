package mctest_test

import (
	"bufio"
	"fmt"
	"net"
	"time"

	"github.com/ringbeat/ringbeat/mctest"
)

// A server that hangs takes a request and answers it after it is healed. In a test,
// mctest.Start does without the error and the Close.
func Example() {
	srv, err := mctest.New(mctest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	nc, err := net.DialTimeout("tcp", srv.Addr(), time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	replies := bufio.NewScanner(nc)

	if err := srv.Hang(); err != nil {
		fmt.Println(err)
	}
	fmt.Fprint(nc, "set greeting 0 0 5\r\nhello\r\n")
	_, stored := srv.Value("greeting")
	fmt.Println("stored while it hangs:", stored)

	if err := srv.Heal(); err != nil {
		fmt.Println(err)
	}
	replies.Scan()
	value, _ := srv.Value("greeting")
	fmt.Println(replies.Text(), value)
	// Output:
	// stored while it hangs: false
	// STORED hello
}
