package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// blast is the raw ceiling: two connections that send whole batches of gets, and read
// the replies without looking at them, with inFlight requests under way in all.
func blast(f *fleet, how ceiling, inFlight int, d time.Duration) (result, error) {
	const conns = 2
	per := max(1, inFlight/conns)
	r := result{times: newTimes()}
	client, server, start := selfCPU(), f.cpu(), time.Now()
	errs := make([]error, conns)
	ops := make([]int64, conns)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { ops[i], errs[i] = blastOne(f.addrs[0], how, per, start, d) })
	}
	wg.Wait()
	r.took, r.client, r.server = time.Since(start), selfCPU()-client, f.cpu()-server
	for i := range conns {
		r.ops += ops[i]
		if errs[i] != nil {
			return r, errs[i]
		}
	}
	return r, nil
}

func blastOne(addr string, how ceiling, batch int, start time.Time, d time.Duration) (int64, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	out := asked(how, batch)
	// How long a batch of replies is, is learnt from the first: it ends with a no-op.
	in := make([]byte, 1<<20)
	if _, err := nc.Write(append(append([]byte(nil), out...), "mn\r\n"...)); err != nil {
		return 0, err
	}
	size := 0
	for size < 4 || string(in[size-4:size]) != "MN\r\n" {
		n, err := nc.Read(in[size:])
		if err != nil {
			return 0, err
		}
		size += n
	}
	size -= 4
	ops := int64(0)
	for time.Since(start) < d {
		if _, err := nc.Write(out); err != nil {
			return ops, err
		}
		if _, err := io.ReadFull(nc, in[:size]); err != nil {
			return ops, err
		}
		ops += int64(batch)
	}
	return ops, nil
}

// asked is the bytes of a batch of gets.
func asked(how ceiling, batch int) (out []byte) {
	if how == byCommand {
		for i := range batch {
			out = fmt.Appendf(out, "mg %s v f c O%x\r\n", keys[i%numKeys], i)
		}
		return out
	}
	out = append(out, "gets"...)
	for i := range batch {
		out = append(append(out, ' '), keys[i%numKeys]...)
	}
	return append(out, "\r\n"...)
}
