// Package mctest is a memcached that lives inside your process, for tests and
// demonstrations, and that can be broken on purpose.
//
//	srv := mctest.Start(t)          // stops when the test ends
//	c := dial(srv.Addr())           // any memcached client
//	srv.BlackHole()                 // the server goes dark ...
//	srv.Heal()                      // ... and comes back
//
// It speaks the classic and the meta text protocol and answers byte for byte
// what memcached 1.6.18 answers, error texts and CAS numbers included; the
// package's tests send the same requests to both and compare. It knows expiry,
// the 30-day rule, CAS, leases (the W, X and Z flags), flush_all with a delay,
// eviction by memory, the item limit, ASCII authentication and TLS. It does not
// know the binary protocol, UDP, external storage, or the commands that tune
// slabs, the LRU and the crawler. Where memcached's answer depends on what its
// threads or its memory happen to hold, ours is always the same: the plain one.
//
// Faults are switched at run time, one method each, and taken back by Heal.
// They come in two kinds. Hang, BlackHole, Refuse and Kill decide whether the
// server takes part at all; only the last one called is in force. Slow, Drip,
// Split, Reset, Garbage and their relatives spoil replies; they add up.
//
// A Server needs no network when Config.NoListen is set: Serve and Dial run it
// over net.Pipe, so that a whole client can be tested under testing/synctest.
package mctest
