package mctest

import "strconv"

// memcached reads numbers with C's strtoull, strtoul and strtol: white space and
// a sign may come first, white space may follow, and what does not fit in 64
// bits is refused while what does not fit in 32 bits is silently cut. Replies can
// only be equal if ours reads the same.

// parseUint64 reads b as memcached reads an unsigned 64-bit number.
func parseUint64(b []byte) (uint64, bool) {
	digits, negative := numberStart(b)
	v, rest, ok := readDigits(digits)
	if !ok || !endsNumber(rest) {
		return 0, false
	}
	if negative {
		v = -v
		if int64(v) < 0 {
			return 0, false
		}
	}
	return v, true
}

// parseUint32 reads b as memcached reads client flags: 64 bits, cut to 32.
func parseUint32(b []byte) (uint32, bool) {
	v, ok := parseUint64(b)
	return uint32(v), ok
}

// parseInt32 reads b as memcached reads an exptime: 64 bits, cut to 32.
func parseInt32(b []byte) (int32, bool) {
	digits, negative := numberStart(b)
	v, rest, ok := readDigits(digits)
	if !ok || !endsNumber(rest) {
		return 0, false
	}
	if negative {
		return int32(-v), v <= 1<<63
	}
	return int32(v), v < 1<<63
}

// numberStart drops leading white space and the sign.
func numberStart(b []byte) (digits []byte, negative bool) {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		return b[1:], b[0] == '-'
	}
	return b, false
}

// readDigits reads decimal digits; not ok means none, or more than 64 bits.
func readDigits(b []byte) (v uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		d := uint64(b[i] - '0')
		if v > (1<<64-1-d)/10 {
			return 0, nil, false
		}
		v = v*10 + d
	}
	return v, b[i:], i > 0
}

// endsNumber reports whether a number may end before rest.
func endsNumber(rest []byte) bool {
	return len(rest) == 0 || rest[0] == 0 || isSpace(rest[0])
}

// isSpace is C's isspace.
func isSpace(c byte) bool {
	return c == ' ' || '\t' <= c && c <= '\r'
}

// appendUint appends v in decimal.
func appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }
