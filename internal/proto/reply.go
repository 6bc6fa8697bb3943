package proto

import (
	"bytes"
	"fmt"
)

// Expect is what a connection remembers of a request that is under way: enough to
// recognise its reply and to prove that the reply is its own. It holds nothing of
// the caller's that could change after the caller has gone.
type Expect struct {
	Op      Op
	Dialect Dialect   // of this very request; long multi-gets are classic on any connection
	Shared  bool      // on a line with others: the reply ends where the next one begins
	Last    bool      // the last one of that line: behind its reply comes END
	touched bool      // classic gat: the first of its two replies is there
	N       uint16    // how many numbers: the keys of a multi-get, else 1
	Opaque  uint32    // the first number that a reply may carry
	next    uint32    // multi-get: the index from which a hit may come
	key     string    // Classic: the key, which proves whose reply it is
	keys    *[]string // Classic: the keys of a multi-get; a copy
}

// ExpectFor sets e to what the reply to r must look like. It keeps e's memory.
func (e *Expect) ExpectFor(d Dialect, r *Request, opaque uint32) {
	if long(r) {
		d = Classic
	}
	e.Op, e.Dialect, e.Shared, e.Last, e.touched = r.Op, d, false, false, false
	e.N, e.Opaque, e.next = numOpaque(d, r), opaque, 0
	if d == Classic {
		e.keep(r)
	}
}

// ExpectShared is ExpectFor for a request on a shared line. Last is set later, when
// the line is closed.
func (e *Expect) ExpectShared(r *Request) {
	e.Op, e.Dialect, e.Shared, e.Last, e.touched = r.Op, Classic, true, false, false
	e.N, e.Opaque, e.next = 0, 0, 0
	e.key = r.Key
}

// keep copies the keys of r.
func (e *Expect) keep(r *Request) {
	if r.Op != OpGetMulti {
		e.key = r.Key
		return
	}
	if e.keys == nil {
		e.keys = new([]string)
	}
	*e.keys = append((*e.keys)[:0], r.Keys...)
}

// Release lets go of the strings that e holds.
func (e *Expect) Release() {
	e.key = ""
	if e.keys != nil && len(*e.keys) > 0 {
		clear(*e.keys)
		*e.keys = (*e.keys)[:0]
	}
}

// Step says how far Parse came.
type Step uint8

const (
	More    Step = iota // the reply is not complete; nothing was used up
	Hit                 // one hit of a multi-get; more of the same reply follow
	Line                // a line of a longer reply was taken; more follow
	Done                // the reply is complete
	LastHit             // a hit of a multi-get that completes the reply
	Later               // a value for a later request on the same line; nothing was used up
)

// maxLine bounds a reply line. The longest lines of a real server are stats.
const maxLine = 8 << 10

// Parse reads one element of the expected reply at the start of b into r and
// returns how many bytes it used: none for a request on a shared line whose end is
// left to the last one. With More, n is how many bytes the element needs in all, as
// far as that is known (0 if not). index is the key's place in a multi-get, with Hit
// and LastHit. The error is ErrMalformed, wrapped with what was seen; the stream is
// then out of step. Parse never looks beyond b, and r's slices point into b.
func (e *Expect) Parse(b []byte, r *Reply) (n, index int, step Step, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxLine {
			return 0, 0, More, fmt.Errorf("%w: line of over %d bytes", ErrMalformed, maxLine)
		}
		return 0, 0, More, nil
	}
	if end == 0 || b[end-1] != '\r' || end > maxLine {
		return 0, 0, Done, malformed(e, b[:end])
	}
	line := b[:end-1]
	switch {
	case e.Shared:
		return e.parseShared(b, line, r)
	case e.Dialect == Meta && e.Op < OpVersion: // the rest has no meta form
		return e.parseMeta(b, line, r)
	}
	return e.parseClassic(b, line, r)
}

// knownWords are the beginnings of lines that tell what has gone wrong.
var knownWords = [...]string{
	"VA", "HD", "EN", "NF", "NS", "EX", "MN", "OK", "END", "VALUE", "STAT", "STORED", "NOT_STORED",
	"EXISTS", "NOT_FOUND", "DELETED", "TOUCHED", "VERSION", "RESET", "HTTP/1.0", "HTTP/1.1",
}

// malformed says what was seen, but quotes only what cannot be a part of a key or a
// value: errors end in logs.
func malformed(e *Expect, line []byte) error {
	word, _, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(" "))
	for _, known := range knownWords {
		if string(word) == known {
			return fmt.Errorf("%w: a line with %s to a %s request", ErrMalformed, known, e.Op)
		}
	}
	return fmt.Errorf("%w: an unknown line of %d bytes to a %s request", ErrMalformed, len(line), e.Op)
}

// parseError recognises the three error lines.
func (e *Expect) parseError(line []byte, r *Reply) bool {
	if len(line) == 0 || line[0] != 'C' && line[0] != 'S' && line[0] != 'E' {
		return false
	}
	client := bytes.HasPrefix(line, []byte("CLIENT_ERROR"))
	server := bytes.HasPrefix(line, []byte("SERVER_ERROR"))
	if !client && !server && string(line) != "ERROR" && !bytes.HasPrefix(line, []byte("ERROR ")) {
		return false
	}
	if len(line) > 256 {
		line = line[:256]
	}
	// After a refused line the server reads a value that follows it as commands,
	// except where it announced, with SERVER_ERROR, that it swallows the value.
	// Replies that stand for several commands leave the others' replies behind. A
	// gets that finds no memory for its reply throws replies to earlier commands
	// away, too, which have not left: the error may be another's.
	several := e.Op == OpGetMulti || e.Shared || e.Op == OpGetAndTouch && e.Dialect == Classic
	thrown := bytes.HasSuffix(line, []byte("writing get response"))
	r.Err = &ServerError{Line: string(line), OutOfStep: several || thrown || e.Op.Stores() && !server}
	return true
}

// value cuts a value of size bytes and its line end out of b, where the header
// line was head bytes long. It returns the bytes used, or More and the bytes
// needed.
func (e *Expect) value(b []byte, head int, size uint64, r *Reply) (n int, step Step, err error) {
	need := head + int(size) + 2
	if len(b) < need {
		return need, More, nil
	}
	if b[need-2] != '\r' || b[need-1] != '\n' {
		return 0, Done, fmt.Errorf("%w: no line end after a value of %d bytes", ErrMalformed, size)
	}
	r.Value = b[head : need-2 : need-2]
	return need, Done, nil
}

// maxSize bounds the size that a value line may announce: memcached's own upper
// limit for an item (-I) is 1 GiB.
const maxSize = 1 << 30

// parseUint reads digits at the start of b and returns what follows them.
func parseUint(b []byte) (v uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && i < 20; i++ {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		next := v*10 + uint64(d)
		if v > (1<<64-1)/10 || next < v {
			return 0, b, false
		}
		v = next
	}
	return v, b[i:], i > 0
}

// parseHex reads an opaque number, which must end at a space or the line's end.
func parseHex(b []byte) (v uint32, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && i < 8; i++ {
		c := b[i]
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint32(c-'a'+10)
		default:
			return v, b[i:], i > 0 && c == ' '
		}
	}
	return v, b[i:], i > 0 && (i == len(b) || b[i] == ' ')
}
