package proto

import "math"

// parseMeta reads the reply to a request that has a meta form. Nothing else counts:
// a classic line would carry no proof of whose reply it is.
func (e *Expect) parseMeta(b, line []byte, r *Reply) (n, index int, step Step, err error) {
	head := len(line) + 2
	if len(line) == 2 || len(line) > 2 && line[2] == ' ' {
		switch code := string(line[:2]); code {
		case "VA":
			return e.metaValue(b, line, r)
		case "MN":
			if e.Op == OpPing {
				return head, 0, Done, nil
			}
		default:
			status, known := e.metaStatus(code)
			if !known {
				break
			}
			r.Status = status
			o, seen, ok := metaFlags(line[2:], r)
			// Servers before 1.6.10 send EN and NF without flags. A value always
			// carries its number, so a stream that is out of step cannot go on.
			if !ok || seen && o != e.Opaque+uint32(e.N)-1 || !seen && len(line) > 2 {
				return 0, 0, Done, malformed(e, line)
			}
			return head, 0, Done, nil
		}
	}
	if e.parseError(line, r) {
		return head, 0, Done, nil
	}
	return 0, 0, Done, malformed(e, line)
}

// metaStatus maps a two-letter code to a status, for the requests that may get it.
func (e *Expect) metaStatus(code string) (Status, bool) {
	switch e.Op {
	case OpGet, OpGetInto, OpGetAndTouch:
		return Miss, code == "EN"
	case OpGetMulti:
		return OK, code == "EN" // of the last key; the other misses are not told
	case OpTouch:
		return hdOr(code, "EN", Miss)
	case OpDelete:
		return hdOr(code, "NF", Miss)
	case OpIncrement, OpDecrement:
		return Miss, code == "NF"
	}
	if !e.Op.Stores() {
		return OK, false
	}
	switch code {
	case "HD":
		return OK, true
	case "NS":
		return NotStored, true
	case "EX":
		return Exists, true
	case "NF":
		return Miss, true
	}
	return OK, false
}

func hdOr(code, other string, s Status) (Status, bool) {
	if code == "HD" {
		return OK, true
	}
	return s, code == other
}

// metaFlags reads the flags that we ask for: f (client flags), c (CAS token) and O
// (opaque number). Others are passed over.
func metaFlags(rest []byte, r *Reply) (opaque uint32, seen, ok bool) {
	for len(rest) > 0 {
		if rest[0] != ' ' || len(rest) < 2 {
			return 0, false, false
		}
		flag := rest[1]
		rest = rest[2:]
		var v uint64
		switch flag {
		case 'O':
			if opaque, rest, ok = parseHex(rest); !ok {
				return 0, false, false
			}
			seen = true
			continue
		case 'f', 'c':
			if v, rest, ok = parseUint(rest); !ok || flag == 'f' && v > math.MaxUint32 {
				return 0, false, false
			}
			if flag == 'c' {
				r.CAS = v
			} else {
				r.Flags = uint32(v)
			}
			continue
		}
		for len(rest) > 0 && rest[0] != ' ' {
			rest = rest[1:]
		}
	}
	return opaque, seen, true
}

// metaValue reads "VA <size> <flags>*" and the value after it.
func (e *Expect) metaValue(b, line []byte, r *Reply) (n, index int, step Step, err error) {
	switch e.Op {
	case OpGet, OpGetInto, OpGetAndTouch, OpGetMulti, OpIncrement, OpDecrement:
	default:
		return 0, 0, Done, malformed(e, line)
	}
	if len(line) < 4 {
		return 0, 0, Done, malformed(e, line)
	}
	size, rest, ok := parseUint(line[3:])
	if !ok || size > maxSize {
		return 0, 0, Done, malformed(e, line)
	}
	o, seen, ok := metaFlags(rest, r)
	index = int(o - e.Opaque)
	if !ok || !seen || o-e.Opaque >= uint32(e.N) || o-e.Opaque < e.next {
		return 0, 0, Done, malformed(e, line)
	}
	n, step, err = e.value(b, len(line)+2, size, r)
	if step != Done || err != nil {
		return n, 0, step, err
	}
	r.Status = OK
	switch e.Op {
	case OpGetMulti:
		e.next = uint32(index) + 1
		if e.next == uint32(e.N) {
			return n, index, LastHit, nil
		}
		return n, index, Hit, nil
	case OpIncrement, OpDecrement:
		digits := r.Value
		r.Value = nil
		return n, 0, Done, e.number(digits, r)
	}
	return n, 0, Done, nil
}

// number reads a counter. memcached pads a decremented one with spaces.
func (e *Expect) number(b []byte, r *Reply) error {
	v, rest, ok := parseUint(b)
	if !ok {
		return malformed(e, b)
	}
	for _, c := range rest {
		if c != ' ' {
			return malformed(e, b)
		}
	}
	r.Number = v
	return nil
}
