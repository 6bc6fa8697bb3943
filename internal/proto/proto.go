// Package proto is the codec of memcached's text protocols: it appends requests
// to a buffer, recognises replies in a buffer, and checks keys. It does no I/O,
// keeps no clock and starts no goroutine, so that everything in it can be tested
// and fuzzed on bytes alone.
//
// Two dialects are spoken. [Meta] (mg, ms, md, ma, mn; memcached 1.6 and later)
// is the one to use: a server answers a pipeline of meta commands with few system
// calls, and each reply carries the opaque number of its request. [Classic] (get,
// set, ...) serves servers that know no meta commands. The grammar of both is
// memcached's doc/protocol.txt.
package proto

import (
	"errors"
	"fmt"
)

// Dialect is the set of commands that a connection speaks.
type Dialect uint8

const (
	Meta    Dialect = iota // mg, ms, md, ma, mn: memcached 1.6 and later
	Classic                // get, set, ...: every memcached
)

// String returns "meta" or "classic".
func (d Dialect) String() string {
	if d == Classic {
		return "classic"
	}
	return "meta"
}

// Op says what a Request asks for.
type Op uint8

const (
	OpGet         Op = iota // Key -> Value, Flags, CAS
	OpGetInto               // Key -> Value only
	OpGetAndTouch           // Key, Exptime -> Value, Flags, CAS
	OpGetMulti              // Keys -> Hits
	OpSet                   // Key, Value, Flags, Exptime
	OpAdd                   // as OpSet; NotStored if the key exists
	OpReplace               // as OpSet; NotStored if the key does not exist
	OpAppend                // as OpSet; NotStored if the key does not exist
	OpPrepend               // as OpSet; NotStored if the key does not exist
	OpCAS                   // as OpSet with CAS; Exists or Miss
	OpDelete                // Key
	OpTouch                 // Key, Exptime
	OpIncrement             // Key, Delta -> Number
	OpDecrement             // Key, Delta -> Number
	OpPing                  // the cheapest round trip
	OpVersion               // -> Admin.Version
	OpFlushAll              //
	OpStats                 // Key is the argument, "" for the general ones -> Admin.Stats
	numOps
)

var opNames = [numOps]string{
	"get", "get", "gat", "get", "set", "add", "replace", "append", "prepend", "cas",
	"delete", "touch", "incr", "decr", "ping", "version", "flush_all", "stats",
}

// String returns the classic command's name.
func (o Op) String() string {
	if o < numOps {
		return opNames[o]
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// Stores reports whether a request of this kind carries a value.
func (o Op) Stores() bool { return o >= OpSet && o <= OpCAS }

// HasKey reports whether a request of this kind names exactly one key.
func (o Op) HasKey() bool { return o <= OpDecrement && o != OpGetMulti }

// Request is what is asked of one server. Which fields count depends on Op.
type Request struct {
	Op      Op
	Flags   uint32
	Key     string
	Exptime int32    // seconds, or a Unix time beyond 30 days; negative: at once
	Value   []byte   // the value to store
	Keys    []string // OpGetMulti
	CAS     uint64
	Delta   uint64
}

// Status is the verdict of a reply that is no error.
type Status uint8

const (
	OK        Status = iota // found, stored, deleted, touched, counted
	Miss                    // no such key
	NotStored               // the condition of add, replace, append or prepend does not hold
	Exists                  // the CAS token does not fit
)

// Reply is what a server answered. Byte slices are valid as long as the buffer
// that was parsed.
type Reply struct {
	Value  []byte
	CAS    uint64
	Number uint64
	Err    *ServerError
	Admin  *AdminReply // OpVersion and OpStats
	Flags  uint32
	Status Status
}

// AdminReply is what only the rare requests bring.
type AdminReply struct {
	Version string
	Stats   [][2]string // name and value
}

func (r *Reply) admin() *AdminReply {
	if r.Admin == nil {
		r.Admin = new(AdminReply)
	}
	return r.Admin
}

// MaxKeyLen is the longest key a server takes, in bytes.
const MaxKeyLen = 250

// ErrMalformedKey is the error for a key that is empty, longer than MaxKeyLen, or
// has a space, a control byte or DEL in it.
var ErrMalformedKey = errors.New("memcached: malformed key: empty, over 250 bytes, or with space or control bytes")

// ErrMalformed is the cause when what a server sent is no memcached reply, or not
// the reply to the request it stands opposite to. The connection is out of step
// and cannot be used again.
var ErrMalformed = errors.New("memcached: malformed or mismatched reply")

// CheckKey returns ErrMalformedKey for a key that no server takes. No key that
// passes can end a command line or add a token to it.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > MaxKeyLen {
		return ErrMalformedKey
	}
	if len(key) < 8 {
		for i := 0; i < len(key); i++ {
			if key[i] <= ' ' || key[i] == 0x7f {
				return ErrMalformedKey
			}
		}
		return nil
	}
	for i := 0; i < len(key)-8; i += 8 {
		if anyForbidden(word(key, i)) {
			return ErrMalformedKey
		}
	}
	if anyForbidden(word(key, len(key)-8)) { // some bytes a second time
		return ErrMalformedKey
	}
	return nil
}

// word returns the 8 bytes of s from i.
func word(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// anyForbidden reports whether one of the 8 bytes of w is at most ' ', or 0x7f. The
// subtraction sets the top bit of a byte that is too small; a borrow can only come
// from such a byte, so it changes nothing where there is none.
func anyForbidden(w uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	del := w ^ ones*0x7f
	return ((w-ones*(' '+1))&^w|(del-ones)&^del)&tops != 0
}

// ServerError is an error line of a server: ERROR, CLIENT_ERROR or SERVER_ERROR.
type ServerError struct {
	Line string // as sent, without the line end; at most 256 bytes
	// OutOfStep is set when the server may read what followed the request as
	// commands, so that the connection must be closed.
	OutOfStep bool
}

// Error returns the line.
func (e *ServerError) Error() string { return "memcached: server says: " + e.Line }
