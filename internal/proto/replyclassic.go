package proto

import (
	"bytes"
	"fmt"
	"math"
)

// parseClassic reads a reply to a classic command.
func (e *Expect) parseClassic(b, line []byte, r *Reply) (n, index int, step Step, err error) {
	head := len(line) + 2
	if e.parseError(line, r) {
		return head, 0, Done, nil
	}
	switch e.Op {
	case OpGet, OpGetInto:
		return e.classicGet(b, line, r)
	case OpGetMulti:
		return e.classicHit(b, line, r)
	case OpGetAndTouch:
		return e.classicGAT(b, line, r)
	case OpStats:
		return e.stat(line, r)
	case OpIncrement, OpDecrement:
		if string(line) == "NOT_FOUND" {
			r.Status = Miss
			return head, 0, Done, nil
		}
		return head, 0, Done, e.number(line, r)
	case OpPing, OpVersion:
		if text, ok := bytes.CutPrefix(line, []byte("VERSION ")); ok {
			r.admin().Version = string(text)
			return head, 0, Done, nil
		}
		return 0, 0, Done, malformed(e, line)
	}
	status, ok := e.classicStatus(string(line))
	if !ok {
		return 0, 0, Done, malformed(e, line)
	}
	r.Status = status
	return head, 0, Done, nil
}

func (e *Expect) classicStatus(line string) (Status, bool) {
	switch line {
	case "STORED":
		return OK, e.Op.Stores()
	case "NOT_STORED":
		return NotStored, e.Op.Stores()
	case "EXISTS":
		return Exists, e.Op.Stores()
	case "NOT_FOUND":
		return Miss, e.Op != OpFlushAll
	case "DELETED":
		return OK, e.Op == OpDelete
	case "TOUCHED":
		return OK, e.Op == OpTouch
	case "OK":
		return OK, e.Op == OpFlushAll
	}
	return OK, false
}

const endLine = "END\r\n"

// classicGet reads one value with the END after it, or END alone: a miss.
func (e *Expect) classicGet(b, line []byte, r *Reply) (n, index int, step Step, err error) {
	if string(line) == "END" {
		r.Status = Miss
		return len(endLine), 0, Done, nil
	}
	key, size, ok := e.valueLine(line, r)
	if !ok || string(key) != e.key {
		return 0, 0, Done, malformed(e, line)
	}
	n, step, err = e.value(b, len(line)+2, size, r)
	if err != nil {
		return 0, 0, Done, err
	}
	if step == More || len(b) < n+len(endLine) {
		if step == More {
			return n + len(endLine), 0, More, nil
		}
		n += len(endLine)
		return n, 0, More, nil
	}
	if string(b[n:n+len(endLine)]) != endLine {
		return 0, 0, Done, malformed(e, line)
	}
	r.Status = OK
	return n + len(endLine), 0, Done, nil
}

// classicGAT reads the replies to the touch and the gets that stand for a gat.
func (e *Expect) classicGAT(b, line []byte, r *Reply) (n, index int, step Step, err error) {
	if e.touched {
		return e.classicGet(b, line, r)
	}
	if s := string(line); s != "TOUCHED" && s != "NOT_FOUND" {
		return 0, 0, Done, malformed(e, line)
	}
	e.touched = true
	return len(line) + 2, 0, Line, nil
}

// classicHit reads one hit of a multi-get, or the END. A server answers in the
// order of the keys and leaves out the misses.
func (e *Expect) classicHit(b, line []byte, r *Reply) (n, index int, step Step, err error) {
	if string(line) == "END" {
		return len(endLine), 0, Done, nil
	}
	keys, i := *e.keys, int(e.next)
	for ; i < len(keys) && !isValueOf(line, keys[i]); i++ {
	}
	if i == len(keys) {
		return 0, 0, Done, malformed(e, line)
	}
	size, ok := valueTail(line[len(valueWord)+len(keys[i]):], r)
	if !ok {
		return 0, 0, Done, malformed(e, line)
	}
	n, step, err = e.value(b, len(line)+2, size, r)
	if step != Done || err != nil {
		return n, 0, step, err
	}
	e.next = uint32(i + 1)
	return n, i, Hit, nil
}

// parseShared reads the reply to a request on a shared line. END says that all who
// are left have missed; the last one uses it up. The value of another key is left
// where it is, with the step Later: whose it is only the connection knows.
func (e *Expect) parseShared(b, line []byte, r *Reply) (n, index int, step Step, err error) {
	if e.parseError(line, r) {
		return len(line) + 2, 0, Done, nil
	}
	if string(line) == "END" {
		r.Status = Miss
		if e.Last {
			n = len(endLine)
		}
		return n, 0, Done, nil
	}
	if e.Last {
		return e.classicGet(b, line, r)
	}
	key, size, ok := e.valueLine(line, r)
	if !ok {
		return 0, 0, Done, malformed(e, line)
	}
	if string(key) != e.key {
		*r = Reply{}
		return 0, 0, Later, nil
	}
	n, step, err = e.value(b, len(line)+2, size, r)
	return n, 0, step, err
}

// IsValueOf reports whether b begins with a value of this request on a shared line.
func (e *Expect) IsValueOf(b []byte) bool { return isValueOf(b, e.key) }

const valueWord = "VALUE "

func isValueOf(b []byte, key string) bool {
	n := len(valueWord) + len(key)
	return len(b) > n && string(b[:len(valueWord)]) == valueWord && string(b[len(valueWord):n]) == key && b[n] == ' '
}

// ErrNotAsked is ErrMalformed for a value of a key that its line did not ask for.
var ErrNotAsked = fmt.Errorf("%w: a value that nobody has asked for", ErrMalformed)

// valueLine reads "VALUE <key> <flags> <size> [<cas>]".
func (e *Expect) valueLine(line []byte, r *Reply) (key []byte, size uint64, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(valueWord))
	if !ok {
		return nil, 0, false
	}
	n := bytes.IndexByte(rest, ' ')
	if n < 0 {
		return nil, 0, false
	}
	size, ok = valueTail(rest[n:], r)
	return rest[:n], size, ok
}

// valueTail reads " <flags> <size> [<cas>]".
func valueTail(b []byte, r *Reply) (size uint64, ok bool) {
	flags, b, ok := parseUint(b[1:])
	if !ok || flags > math.MaxUint32 || len(b) == 0 || b[0] != ' ' {
		return 0, false
	}
	r.Flags = uint32(flags)
	size, b, ok = parseUint(b[1:])
	if !ok || size > maxSize {
		return 0, false
	}
	if len(b) > 0 {
		if b[0] != ' ' {
			return 0, false
		}
		if r.CAS, b, ok = parseUint(b[1:]); !ok || len(b) > 0 {
			return 0, false
		}
	}
	return size, true
}

// maxStats bounds the lines of one stats reply; real ones have some hundreds.
const maxStats = 100_000

func (e *Expect) stat(line []byte, r *Reply) (n, index int, step Step, err error) {
	switch s := string(line); s {
	case "END", "RESET", "OK":
		r.admin()
		return len(line) + 2, 0, Done, nil
	}
	word, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "STAT", "ITEM", "PREFIX": // the latter of cachedump and detail dump
	default:
		return 0, 0, Done, malformed(e, line)
	}
	admin := r.admin()
	if len(rest) == 0 || len(admin.Stats) >= maxStats {
		return 0, 0, Done, malformed(e, line)
	}
	name, value, _ := bytes.Cut(rest, []byte(" "))
	admin.Stats = append(admin.Stats, [2]string{string(name), string(value)})
	return len(line) + 2, 0, Line, nil
}
