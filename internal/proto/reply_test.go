package proto

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// hit is one hit of a multi-get, as a caller would keep it.
type hit struct {
	index int
	value string
	flags uint32
	cas   uint64
}

// whole is all that a reply says.
type whole struct {
	reply Reply
	hits  []hit
	bad   bool // ErrMalformed
	rest  int  // bytes behind the reply
}

// read parses the reply to r as a connection does that receives in in the pieces
// that end at cuts.
func read(d Dialect, r *Request, in string, cuts ...int) (w whole, err error) {
	var e Expect
	e.ExpectFor(d, r, 0x1f)
	b := []byte(in)
	off := 0
	for _, end := range append(cuts, len(b)) {
		for off < end {
			n, index, step, err := e.Parse(b[off:end:end], &w.reply)
			if err != nil {
				return whole{bad: true}, err
			}
			if step == More {
				if n != 0 && n <= end-off {
					return w, fmt.Errorf("bug: wants %d bytes, has %d", n, end-off)
				}
				break
			}
			if n <= 0 || n > end-off {
				return w, fmt.Errorf("bug: used %d of %d bytes", n, end-off)
			}
			off += n
			if step == Hit || step == LastHit {
				w.hits = append(w.hits, hit{index, string(w.reply.Value), w.reply.Flags, w.reply.CAS})
				w.reply.Value, w.reply.Flags, w.reply.CAS = nil, 0, 0
			}
			if step == Done || step == LastHit {
				w.rest = len(b) - off
				return w, nil
			}
		}
	}
	return w, errMore
}

var errMore = errors.New("reply is not complete")

func serverError(line string, outOfStep bool) Reply {
	return Reply{Err: &ServerError{Line: line, OutOfStep: outOfStep}}
}

var (
	getK      = Request{Op: OpGet, Key: "k"}
	getIntoK  = Request{Op: OpGetInto, Key: "k"}
	gatK      = Request{Op: OpGetAndTouch, Key: "k", Exptime: 9}
	multiABC  = Request{Op: OpGetMulti, Keys: []string{"a", "b", "c"}}
	multiABA  = Request{Op: OpGetMulti, Keys: []string{"a", "b", "a"}}
	setK      = Request{Op: OpSet, Key: "k", Value: []byte("v")}
	addK      = Request{Op: OpAdd, Key: "k", Value: []byte("v")}
	replaceK  = Request{Op: OpReplace, Key: "k", Value: []byte("v")}
	appendK   = Request{Op: OpAppend, Key: "k", Value: []byte("v")}
	prependK  = Request{Op: OpPrepend, Key: "k", Value: []byte("v")}
	casK      = Request{Op: OpCAS, Key: "k", Value: []byte("v"), CAS: 5}
	deleteK   = Request{Op: OpDelete, Key: "k"}
	touchK    = Request{Op: OpTouch, Key: "k", Exptime: 9}
	incrK     = Request{Op: OpIncrement, Key: "k", Delta: 1}
	decrK     = Request{Op: OpDecrement, Key: "k", Delta: 1}
	ping      = Request{Op: OpPing}
	version   = Request{Op: OpVersion}
	flushAll  = Request{Op: OpFlushAll}
	stats     = Request{Op: OpStats}
	everyKind = []Request{
		getK, getIntoK, gatK, multiABC, setK, addK, replaceK, appendK, prependK, casK,
		deleteK, touchK, incrK, decrK, ping, version, flushAll, stats,
	}
)

// replies has what servers answer, good and bad, for each kind of request.
var replies = []struct {
	name string
	d    Dialect
	r    Request
	in   string
	want whole
}{
	{"get hit", Meta, getK, "VA 3 f7 c9 O1f\r\nabc\r\n", whole{reply: Reply{Value: []byte("abc"), Flags: 7, CAS: 9}}},
	{"get hit, flags in another order", Meta, getK, "VA 3 O1f c9 f7\r\nabc\r\n", whole{reply: Reply{Value: []byte("abc"), Flags: 7, CAS: 9}}},
	{"get hit, flags that nobody asked for", Meta, getK, "VA 3 W s3 kk O1f\r\nabc\r\n", whole{reply: Reply{Value: []byte("abc")}}},
	{"get hit, value with line ends", Meta, getK, "VA 4 O1f\r\n\r\n\r\n\r\n", whole{reply: Reply{Value: []byte("\r\n\r\n")}}},
	{"get hit, empty value", Meta, getK, "VA 0 f0 c1 O1f\r\n\r\n", whole{reply: Reply{Value: []byte{}, CAS: 1}}},
	{"get hit, greatest numbers", Meta, getK, "VA 0 f4294967295 c18446744073709551615 O1f\r\n\r\n", whole{reply: Reply{Value: []byte{}, Flags: 1<<32 - 1, CAS: 1<<64 - 1}}},
	{"get hit, next reply behind it", Meta, getK, "VA 1 O1f\r\nx\r\nEN O20\r\n", whole{reply: Reply{Value: []byte("x")}, rest: 8}},
	{"get miss", Meta, getK, "EN O1f\r\n", whole{reply: Reply{Status: Miss}}},
	{"get miss of a server that leaves flags out", Meta, getK, "EN\r\n", whole{reply: Reply{Status: Miss}}},
	{"get of another's number", Meta, getK, "VA 3 O20\r\nabc\r\n", whole{bad: true}},
	{"get of the number before", Meta, getK, "VA 3 O1e\r\nabc\r\n", whole{bad: true}},
	{"get without a number", Meta, getK, "VA 3 f0 c1\r\nabc\r\n", whole{bad: true}},
	{"get miss of another's number", Meta, getK, "EN O20\r\n", whole{bad: true}},
	{"get miss with other flags only", Meta, getK, "EN kk\r\n", whole{bad: true}},
	{"get, number with a tail", Meta, getK, "VA 3 O1fx\r\nabc\r\n", whole{bad: true}},
	{"get, number of nine digits", Meta, getK, "VA 3 O00000001f\r\nabc\r\n", whole{bad: true}},
	{"get, number in capitals", Meta, getK, "VA 3 O1F\r\nabc\r\n", whole{bad: true}},
	{"get, no line end after the value", Meta, getK, "VA 3 O1f\r\nabcde", whole{bad: true}},
	{"get, value longer than said", Meta, getK, "VA 3 O1f\r\nabcd\r\n", whole{bad: true}},
	{"get, size with a sign", Meta, getK, "VA -1 O1f\r\n\r\n", whole{bad: true}},
	{"get, no size", Meta, getK, "VA O1f\r\n\r\n", whole{bad: true}},
	{"get, nothing but VA", Meta, getK, "VA\r\n", whole{bad: true}},
	{"get, size over all bounds", Meta, getK, "VA 1073741825 O1f\r\n", whole{bad: true}},
	{"get, size over 64 bits", Meta, getK, "VA 18446744073709551616 O1f\r\n", whole{bad: true}},
	{"get, size of 21 digits", Meta, getK, "VA 000000000000000000003 O1f\r\nabc\r\n", whole{bad: true}},
	{"get, flags over 32 bits", Meta, getK, "VA 3 f4294967296 O1f\r\nabc\r\n", whole{bad: true}},
	{"get, flags that are no number", Meta, getK, "VA 3 fx O1f\r\nabc\r\n", whole{bad: true}},
	{"get, CAS over 64 bits", Meta, getK, "VA 3 c18446744073709551616 O1f\r\nabc\r\n", whole{bad: true}},
	{"get, two spaces", Meta, getK, "VA 3  O1f\r\nabc\r\n", whole{bad: true}},
	{"get, space at the end", Meta, getK, "VA 3 O1f \r\nabc\r\n", whole{bad: true}},
	{"get answered like a set", Meta, getK, "HD O1f\r\n", whole{bad: true}},
	{"get answered like a delete", Meta, getK, "NF O1f\r\n", whole{bad: true}},
	{"get answered like a no-op", Meta, getK, "MN\r\n", whole{bad: true}},
	{"get answered in the classic dialect", Meta, getK, "VALUE k 0 3 1\r\nabc\r\nEND\r\n", whole{bad: true}},
	{"get answered for the empty key", Meta, getK, "VALUE  0 3 1\r\nabc\r\nEND\r\n", whole{bad: true}},
	{"get missed in the classic dialect", Meta, getK, "END\r\n", whole{bad: true}},
	{"get, bare line feed", Meta, getK, "EN O1f\n", whole{bad: true}},
	{"get, empty line", Meta, getK, "\r\n", whole{bad: true}},
	{"get, only a line feed", Meta, getK, "\n", whole{bad: true}},
	{"get of HTTP", Meta, getK, "HTTP/1.1 400 Bad Request\r\n", whole{bad: true}},
	{"get refused", Meta, getK, "CLIENT_ERROR bad command line format\r\n", whole{reply: serverError("CLIENT_ERROR bad command line format", false)}},
	{"get failed", Meta, getK, "SERVER_ERROR out of memory writing get response\r\n", whole{reply: serverError("SERVER_ERROR out of memory writing get response", true)}},
	{"get failed otherwise", Meta, getK, "SERVER_ERROR refcount overflow during fetch\r\n", whole{reply: serverError("SERVER_ERROR refcount overflow during fetch", false)}},
	{"get unknown", Meta, getK, "ERROR\r\n", whole{reply: serverError("ERROR", false)}},
	{"get into", Meta, getIntoK, "VA 3 O1f\r\nabc\r\n", whole{reply: Reply{Value: []byte("abc")}}},
	{"get and touch", Meta, gatK, "VA 3 f7 c9 O1f\r\nabc\r\n", whole{reply: Reply{Value: []byte("abc"), Flags: 7, CAS: 9}}},
	{"get and touch miss", Meta, gatK, "EN O1f\r\n", whole{reply: Reply{Status: Miss}}},
	{"get and touch in the classic dialect", Meta, gatK, "TOUCHED\r\nEND\r\n", whole{bad: true}},
	{"get and touch refused", Meta, gatK, "CLIENT_ERROR bad token\r\n", whole{reply: serverError("CLIENT_ERROR bad token", false)}},

	{"multi all", Meta, multiABC, "VA 1 f1 c1 O1f\r\nx\r\nVA 1 f2 c2 O20\r\ny\r\nVA 1 f3 c3 O21\r\nz\r\n", whole{hits: []hit{{0, "x", 1, 1}, {1, "y", 2, 2}, {2, "z", 3, 3}}}},
	{"multi some", Meta, multiABC, "VA 1 f0 c1 O20\r\ny\r\nEN O21\r\n", whole{hits: []hit{{1, "y", 0, 1}}}},
	{"multi last", Meta, multiABC, "VA 1 f0 c1 O21\r\nz\r\n", whole{hits: []hit{{2, "z", 0, 1}}}},
	{"multi none", Meta, multiABC, "EN O21\r\n", whole{}},
	{"multi none, before 1.6.10", Meta, multiABC, "EN\r\n", whole{}},
	{"multi, end of another", Meta, multiABC, "EN O22\r\n", whole{bad: true}},
	{"multi, no-op", Meta, multiABC, "MN\r\n", whole{bad: true}},
	{"multi, hits out of order", Meta, multiABC, "VA 1 O20\r\ny\r\nVA 1 O1f\r\nx\r\nEN O21\r\n", whole{bad: true}},
	{"multi, one hit twice", Meta, multiABC, "VA 1 O20\r\ny\r\nVA 1 O20\r\ny\r\nEN O21\r\n", whole{bad: true}},
	{"multi, number beyond", Meta, multiABC, "VA 1 O22\r\nx\r\nEN O21\r\n", whole{bad: true}},
	{"multi, number below", Meta, multiABC, "VA 1 O1e\r\nx\r\nEN O21\r\n", whole{bad: true}},
	{"multi, hit without a number", Meta, multiABC, "VA 1\r\nx\r\nEN O21\r\n", whole{bad: true}},
	{"multi ended in the classic dialect", Meta, multiABC, "VA 1 O1f\r\nx\r\nEND\r\n", whole{bad: true}},
	{"multi with a miss", Meta, multiABC, "EN O1f\r\nEN O21\r\n", whole{bad: true}},
	{"multi with an error in it", Meta, multiABC, "VA 1 O1f\r\nx\r\nSERVER_ERROR no\r\n", whole{reply: serverError("SERVER_ERROR no", true), hits: []hit{{0, "x", 0, 0}}}},

	{"set", Meta, setK, "HD O1f\r\n", whole{}},
	{"set of a server that leaves flags out", Meta, setK, "HD\r\n", whole{}},
	{"set of another's number", Meta, setK, "HD O1e\r\n", whole{bad: true}},
	{"set answered in the classic dialect", Meta, setK, "STORED\r\n", whole{bad: true}},
	{"set answered with a value", Meta, setK, "VA 1 O1f\r\nx\r\n", whole{bad: true}},
	{"set too large", Meta, setK, "SERVER_ERROR object too large for cache\r\n", whole{reply: serverError("SERVER_ERROR object too large for cache", false)}},
	{"set with a bad chunk", Meta, setK, "CLIENT_ERROR bad data chunk\r\n", whole{reply: serverError("CLIENT_ERROR bad data chunk", true)}},
	{"set unknown", Meta, setK, "ERROR\r\n", whole{reply: serverError("ERROR", true)}},
	{"add of a key that exists", Meta, addK, "NS O1f\r\n", whole{reply: Reply{Status: NotStored}}},
	{"replace of no key", Meta, replaceK, "NS O1f\r\n", whole{reply: Reply{Status: NotStored}}},
	{"append to no key", Meta, appendK, "NS O1f\r\n", whole{reply: Reply{Status: NotStored}}},
	{"prepend to no key", Meta, prependK, "NS O1f\r\n", whole{reply: Reply{Status: NotStored}}},
	{"cas of an old token", Meta, casK, "EX O1f\r\n", whole{reply: Reply{Status: Exists}}},
	{"cas of no key", Meta, casK, "NF O1f\r\n", whole{reply: Reply{Status: Miss}}},
	{"delete", Meta, deleteK, "HD O1f\r\n", whole{}},
	{"delete miss", Meta, deleteK, "NF O1f\r\n", whole{reply: Reply{Status: Miss}}},
	{"delete answered in the classic dialect", Meta, deleteK, "DELETED\r\n", whole{bad: true}},
	{"delete answered like a get", Meta, deleteK, "EN O1f\r\n", whole{bad: true}},
	{"touch", Meta, touchK, "HD O1f\r\n", whole{}},
	{"touch miss", Meta, touchK, "EN O1f\r\n", whole{reply: Reply{Status: Miss}}},
	{"touch answered with a value", Meta, touchK, "VA 1 O1f\r\nx\r\n", whole{bad: true}},
	{"touch answered in the classic dialect", Meta, touchK, "TOUCHED\r\n", whole{bad: true}},
	{"incr", Meta, incrK, "VA 2 O1f\r\n43\r\n", whole{reply: Reply{Number: 43}}},
	{"incr to the greatest number", Meta, incrK, "VA 20 O1f\r\n18446744073709551615\r\n", whole{reply: Reply{Number: 1<<64 - 1}}},
	{"incr beyond it", Meta, incrK, "VA 20 O1f\r\n18446744073709551616\r\n", whole{bad: true}},
	{"incr to no number", Meta, incrK, "VA 2 O1f\r\n4x\r\n", whole{bad: true}},
	{"incr to nothing", Meta, incrK, "VA 0 O1f\r\n\r\n", whole{bad: true}},
	{"incr miss", Meta, incrK, "NF O1f\r\n", whole{reply: Reply{Status: Miss}}},
	{"incr of text", Meta, incrK, "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", whole{reply: serverError("CLIENT_ERROR cannot increment or decrement non-numeric value", false)}},
	{"incr answered in the classic dialect", Meta, incrK, "43\r\n", whole{bad: true}},
	{"incr missed in the classic dialect", Meta, incrK, "NOT_FOUND\r\n", whole{bad: true}},
	{"decr, padded", Meta, decrK, "VA 2 O1f\r\n9 \r\n", whole{reply: Reply{Number: 9}}},
	{"ping", Meta, ping, "MN\r\n", whole{}},
	{"ping answered in the classic dialect", Meta, ping, "VERSION 1.6.18\r\n", whole{bad: true}},
	{"version", Meta, version, "VERSION 1.6.18\r\n", whole{reply: Reply{Admin: &AdminReply{Version: "1.6.18"}}}},
	{"flush", Meta, flushAll, "OK\r\n", whole{}},
	{"flush forbidden", Meta, flushAll, "CLIENT_ERROR flush_all not allowed\r\n", whole{reply: serverError("CLIENT_ERROR flush_all not allowed", false)}},
	{"flush answered like a set", Meta, flushAll, "STORED\r\n", whole{bad: true}},
	{"stats", Meta, stats, "STAT pid 1\r\nSTAT version 1.6 x\r\nEND\r\n", whole{reply: Reply{Admin: &AdminReply{Stats: [][2]string{{"pid", "1"}, {"version", "1.6 x"}}}}}},
	{"stats without any", Meta, stats, "END\r\n", whole{reply: Reply{Admin: &AdminReply{}}}},
	{"stats reset", Meta, stats, "RESET\r\n", whole{reply: Reply{Admin: &AdminReply{}}}},
	{"stats of a slab class", Meta, stats, "ITEM k [1 b; 0 s]\r\nEND\r\n", whole{reply: Reply{Admin: &AdminReply{Stats: [][2]string{{"k", "[1 b; 0 s]"}}}}}},
	{"stats of prefixes", Meta, stats, "PREFIX a get 1 hit 0\r\nEND\r\n", whole{reply: Reply{Admin: &AdminReply{Stats: [][2]string{{"a", "get 1 hit 0"}}}}}},
	{"stats switched on", Meta, stats, "OK\r\n", whole{reply: Reply{Admin: &AdminReply{}}}},
	{"stats unknown", Meta, stats, "ERROR\r\n", whole{reply: serverError("ERROR", false)}},
	{"stats of another kind", Meta, stats, "VA 1 O1f\r\nx\r\n", whole{bad: true}},

	{"get hit", Classic, getK, "VALUE k 7 3 9\r\nabc\r\nEND\r\n", whole{reply: Reply{Value: []byte("abc"), Flags: 7, CAS: 9}}},
	{"get hit without CAS", Classic, getK, "VALUE k 7 3\r\nabc\r\nEND\r\n", whole{reply: Reply{Value: []byte("abc"), Flags: 7}}},
	{"get hit, END in the value", Classic, getK, "VALUE k 0 5 1\r\nEND\r\n\r\nEND\r\n", whole{reply: Reply{Value: []byte("END\r\n"), CAS: 1}}},
	{"get miss", Classic, getK, "END\r\n", whole{reply: Reply{Status: Miss}}},
	{"get, next reply behind it", Classic, getK, "END\r\nEND\r\n", whole{reply: Reply{Status: Miss}, rest: 5}},
	{"get, value of another key", Classic, getK, "VALUE q 0 3 1\r\nabc\r\nEND\r\n", whole{bad: true}},
	{"get, value of a longer key", Classic, getK, "VALUE kk 0 3 1\r\nabc\r\nEND\r\n", whole{bad: true}},
	{"get, two values", Classic, getK, "VALUE k 0 1 1\r\na\r\nVALUE k 0 1 1\r\na\r\nEND\r\n", whole{bad: true}},
	{"get, no END", Classic, getK, "VALUE k 0 1 1\r\na\r\nSTORED\r\n", whole{bad: true}},
	{"get, no size", Classic, getK, "VALUE k 0\r\n", whole{bad: true}},
	{"get, no key", Classic, getK, "VALUE \r\n", whole{bad: true}},
	{"get, flags over 32 bits", Classic, getK, "VALUE k 4294967296 1 1\r\na\r\nEND\r\n", whole{bad: true}},
	{"get, size over all bounds", Classic, getK, "VALUE k 0 1073741825 1\r\n", whole{bad: true}},
	{"get, tail after CAS", Classic, getK, "VALUE k 0 1 1 1\r\na\r\nEND\r\n", whole{bad: true}},
	{"get, tail after the size", Classic, getK, "VALUE k 0 1x\r\na\r\nEND\r\n", whole{bad: true}},
	{"get, no line end after the value", Classic, getK, "VALUE k 0 1 1\r\nabcEND\r\n", whole{bad: true}},
	{"get answered like a set", Classic, getK, "STORED\r\n", whole{bad: true}},
	{"get answered in the meta dialect", Classic, getK, "VA 1 O1f\r\na\r\n", whole{bad: true}},
	{"get failed", Classic, getK, "SERVER_ERROR out of memory\r\n", whole{reply: serverError("SERVER_ERROR out of memory", false)}},
	{"get into", Classic, getIntoK, "VALUE k 0 1 1\r\na\r\nEND\r\n", whole{reply: Reply{Value: []byte("a"), CAS: 1}}},
	{"get and touch", Classic, gatK, "TOUCHED\r\nVALUE k 7 1 9\r\na\r\nEND\r\n", whole{reply: Reply{Value: []byte("a"), Flags: 7, CAS: 9}}},
	{"get and touch miss", Classic, gatK, "NOT_FOUND\r\nEND\r\n", whole{reply: Reply{Status: Miss}}},
	{"get and touch, gone in between", Classic, gatK, "TOUCHED\r\nEND\r\n", whole{reply: Reply{Status: Miss}}},
	{"get and touch, another key", Classic, gatK, "TOUCHED\r\nVALUE q 7 1 9\r\na\r\nEND\r\n", whole{bad: true}},
	{"get and touch, without the touch", Classic, gatK, "VALUE k 7 1 9\r\na\r\nEND\r\n", whole{bad: true}},
	{"get and touch unknown", Classic, gatK, "ERROR\r\nEND\r\n", whole{reply: serverError("ERROR", true), rest: 5}},
	{"get and touch failed later", Classic, gatK, "TOUCHED\r\nSERVER_ERROR no\r\n", whole{reply: serverError("SERVER_ERROR no", true)}},

	{"multi all", Classic, multiABC, "VALUE a 1 1 1\r\nx\r\nVALUE b 2 1 2\r\ny\r\nVALUE c 3 1 3\r\nz\r\nEND\r\n", whole{hits: []hit{{0, "x", 1, 1}, {1, "y", 2, 2}, {2, "z", 3, 3}}}},
	{"multi some", Classic, multiABC, "VALUE c 0 1 1\r\nz\r\nEND\r\n", whole{hits: []hit{{2, "z", 0, 1}}}},
	{"multi none", Classic, multiABC, "END\r\n", whole{}},
	{"multi, hits out of order", Classic, multiABC, "VALUE b 0 1 1\r\ny\r\nVALUE a 0 1 1\r\nx\r\nEND\r\n", whole{bad: true}},
	{"multi, one hit twice", Classic, multiABC, "VALUE b 0 1 1\r\ny\r\nVALUE b 0 1 1\r\ny\r\nEND\r\n", whole{bad: true}},
	{"multi, one key asked for twice", Classic, multiABA, "VALUE a 0 1 1\r\nx\r\nVALUE a 0 1 1\r\nx\r\nEND\r\n", whole{hits: []hit{{0, "x", 0, 1}, {2, "x", 0, 1}}}},
	{"multi, another key", Classic, multiABC, "VALUE q 0 1 1\r\ny\r\nEND\r\n", whole{bad: true}},
	{"multi failed", Classic, multiABC, "SERVER_ERROR no\r\n", whole{reply: serverError("SERVER_ERROR no", true)}},

	{"set", Classic, setK, "STORED\r\n", whole{}},
	{"set answered in the meta dialect", Classic, setK, "HD O1f\r\n", whole{bad: true}},
	{"set answered like a delete", Classic, setK, "DELETED\r\n", whole{bad: true}},
	{"set too large", Classic, setK, "SERVER_ERROR object too large for cache\r\n", whole{reply: serverError("SERVER_ERROR object too large for cache", false)}},
	{"set with a bad chunk", Classic, setK, "CLIENT_ERROR bad data chunk\r\n", whole{reply: serverError("CLIENT_ERROR bad data chunk", true)}},
	{"add of a key that exists", Classic, addK, "NOT_STORED\r\n", whole{reply: Reply{Status: NotStored}}},
	{"replace of no key", Classic, replaceK, "NOT_STORED\r\n", whole{reply: Reply{Status: NotStored}}},
	{"append to no key", Classic, appendK, "NOT_STORED\r\n", whole{reply: Reply{Status: NotStored}}},
	{"prepend to no key", Classic, prependK, "NOT_STORED\r\n", whole{reply: Reply{Status: NotStored}}},
	{"cas of an old token", Classic, casK, "EXISTS\r\n", whole{reply: Reply{Status: Exists}}},
	{"cas of no key", Classic, casK, "NOT_FOUND\r\n", whole{reply: Reply{Status: Miss}}},
	{"delete", Classic, deleteK, "DELETED\r\n", whole{}},
	{"delete miss", Classic, deleteK, "NOT_FOUND\r\n", whole{reply: Reply{Status: Miss}}},
	{"delete answered like a set", Classic, deleteK, "STORED\r\n", whole{bad: true}},
	{"touch", Classic, touchK, "TOUCHED\r\n", whole{}},
	{"touch miss", Classic, touchK, "NOT_FOUND\r\n", whole{reply: Reply{Status: Miss}}},
	{"touch answered like a flush", Classic, touchK, "OK\r\n", whole{bad: true}},
	{"incr", Classic, incrK, "43\r\n", whole{reply: Reply{Number: 43}}},
	{"incr miss", Classic, incrK, "NOT_FOUND\r\n", whole{reply: Reply{Status: Miss}}},
	{"incr of text", Classic, incrK, "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", whole{reply: serverError("CLIENT_ERROR cannot increment or decrement non-numeric value", false)}},
	{"incr to no number", Classic, incrK, "x\r\n", whole{bad: true}},
	{"decr, padded", Classic, decrK, "9 \r\n", whole{reply: Reply{Number: 9}}},
	{"ping", Classic, ping, "VERSION 1.4.15\r\n", whole{reply: Reply{Admin: &AdminReply{Version: "1.4.15"}}}},
	{"ping answered in the meta dialect", Classic, ping, "MN\r\n", whole{bad: true}},
	{"version", Classic, version, "VERSION 1.4.15\r\n", whole{reply: Reply{Admin: &AdminReply{Version: "1.4.15"}}}},
	{"version without one", Classic, version, "VERSION\r\n", whole{bad: true}},
	{"flush", Classic, flushAll, "OK\r\n", whole{}},
	{"stats", Classic, stats, "STAT pid 1\r\nEND\r\n", whole{reply: Reply{Admin: &AdminReply{Stats: [][2]string{{"pid", "1"}}}}}},
}

func TestEveryReplyIsReadAsItsRequestWants(t *testing.T) {
	for _, c := range replies {
		t.Run(c.d.String()+" "+c.name, func(t *testing.T) {
			got, err := read(c.d, &c.r, c.in)
			if c.want.bad != errors.Is(err, ErrMalformed) || err != nil && !c.want.bad {
				t.Fatalf("%q: error %v", c.in, err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q:\n got %+v\nwant %+v", c.in, got, c.want)
			}
		})
	}
}

// TestEveryReplyMayBeSplitAnywhere cuts each reply in two at every place, and also
// into single bytes.
func TestEveryReplyMayBeSplitAnywhere(t *testing.T) {
	for _, c := range replies {
		end := len(c.in) - c.want.rest
		want, wantErr := read(c.d, &c.r, c.in[:end])
		same := func(cuts ...int) {
			got, err := read(c.d, &c.r, c.in[:end], cuts...)
			if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
				t.Errorf("%v %s cut at %v: %+v (%v), want %+v (%v)", c.d, c.name, cuts, got, err, want, wantErr)
			}
		}
		var bytes []int
		for cut := 1; cut < end; cut++ {
			same(cut)
			bytes = append(bytes, cut)
			if _, err := read(c.d, &c.r, c.in[:cut]); !c.want.bad && err != errMore {
				t.Errorf("%v %s: the first %d bytes are enough (%v)", c.d, c.name, cut, err)
			}
		}
		same(bytes...)
	}
}

// TestLineWithoutAnEndIsGivenUp: a server that never ends its line costs bounded
// memory.
func TestLineWithoutAnEndIsGivenUp(t *testing.T) {
	for _, r := range everyKind {
		for _, d := range []Dialect{Meta, Classic} {
			if _, err := read(d, &r, strings.Repeat("x", maxLine)); err != errMore {
				t.Errorf("%v %v: %v after %d bytes", d, r.Op, err, maxLine)
			}
			if _, err := read(d, &r, strings.Repeat("x", maxLine+1)); !errors.Is(err, ErrMalformed) {
				t.Errorf("%v %v: %v after one byte more", d, r.Op, err)
			}
		}
	}
}

// TestErrorLinesAreKeptShort: nobody logs a line of 8 KiB.
func TestErrorLinesAreKeptShort(t *testing.T) {
	got, err := read(Meta, &getK, "SERVER_ERROR "+strings.Repeat("x", 5000)+"\r\n")
	if err != nil || got.reply.Err == nil || len(got.reply.Err.Line) != 256 {
		t.Errorf("%+v, %v", got, err)
	}
	if want := "memcached: server says: SERVER_ERROR no"; serverError("SERVER_ERROR no", false).Err.Error() != want {
		t.Errorf("the error reads otherwise than %q", want)
	}
}

// TestErrorsTellNoKeyAndNoValue: errors end in logs, keys and values must not.
func TestErrorsTellNoKeyAndNoValue(t *testing.T) {
	for in, tells := range map[string]string{
		"VALUE secret 0 1 1\r\nx\r\nEND\r\n":    "VALUE",
		"secret\r\n":                            "unknown",
		"SECRET secret\r\n":                     "unknown",
		"HTTP/1.1 400 secret\r\n":               "HTTP/1.1",
		strings.Repeat("secret", 1000) + "\r\n": "6000 bytes",
	} {
		for _, d := range []Dialect{Meta, Classic} {
			_, err := read(d, &getK, in)
			if err == nil || strings.Contains(strings.ToLower(err.Error()), "secret") || !strings.Contains(err.Error(), tells) {
				t.Errorf("%v %.20q: %v", d, in, err)
			}
		}
	}
}

// TestStatsWithoutAnEndAreGivenUp: a server that goes on for ever costs bounded
// memory.
func TestStatsWithoutAnEndAreGivenUp(t *testing.T) {
	_, err := read(Meta, &stats, strings.Repeat("STAT a 1\r\n", maxStats+1))
	if !errors.Is(err, ErrMalformed) {
		t.Errorf("%d lines: %v", maxStats+1, err)
	}
}

// TestExpectationOutlivesItsRequest: the caller of a request that timed out uses it
// again while its reply is still to come.
func TestExpectationOutlivesItsRequest(t *testing.T) {
	r := Request{Op: OpGetMulti, Keys: []string{"a", "b"}}
	var e Expect
	e.ExpectFor(Classic, &r, 1)
	r.Keys[0] = "other"
	var reply Reply
	if _, index, step, err := e.Parse([]byte("VALUE a 0 1 1\r\nx\r\n"), &reply); err != nil || step != Hit || index != 0 {
		t.Errorf("step %v, index %d, %v", step, index, err)
	}
	e.Release()
	if keys := *e.keys; len(keys) != 0 || keys[:1][0] != "" {
		t.Error("Release keeps the keys")
	}
	e.ExpectFor(Meta, &getK, 1)
	if len(*e.keys) != 0 || e.Dialect != Meta || e.N != 1 || e.next != 0 {
		t.Errorf("a used expectation is not made new: %+v", e)
	}
}
