package mctest

// metaFlags are the parsed flags of a meta command.
type metaFlags struct {
	key      []byte
	binary   bool // b
	quiet    bool // q
	value    bool // v
	noUpdate bool // u
	late     bool // the LRU bump comes after the reply (h, l, N, R, T)
	stale    bool // I
	hasCAS   bool // C
	vivify   bool // N
	newTTL   bool // T
	mode     byte // M, 0 if absent

	cas            uint64
	clientFlags    uint32
	delta, initial uint64
	ttl            int64 // T, as a server second
	vivifyTTL      int64 // N
	recache        int64 // R
}

const badToken = "CLIENT_ERROR bad token in command line format"

// parse reads flags; a base64 key is decoded into buf. The failure is the error line to send, "" if all is well. After
// a bad argument it reads on, as memcached does: the last complaint wins, and an
// unknown or repeated flag ends it.
func (f *metaFlags) parse(flags [][]byte, buf []byte, clk clock, now int64) (failure string) {
	var seen [2]uint64
	for _, t := range flags {
		o := t[0]
		if o >= 127 || seen[o/64]&(1<<(o%64)) != 0 {
			return "CLIENT_ERROR duplicate flag"
		}
		seen[o/64] |= 1 << (o % 64)
		bad, known := f.parseOne(o, t[1:], buf, clk, now)
		if !known {
			return "CLIENT_ERROR invalid flag"
		}
		if bad != "" && (o != 'F' || failure == "") { // F does not complain over others
			failure = bad
		}
	}
	return failure
}

// parseOne reads flag o with its argument.
func (f *metaFlags) parseOne(o byte, arg, buf []byte, clk clock, now int64) (bad string, known bool) {
	ok := true
	switch o {
	case 'O', 'P', 'L', 'k', 's', 't', 'c', 'f':
	case 'b':
		ok, bad = f.decodeKey(buf), "CLIENT_ERROR error decoding key"
	case 'q':
		f.quiet = true
	case 'v':
		f.value = true
	case 'u':
		f.noUpdate = true
	case 'I':
		f.stale = true
	case 'h', 'l':
		f.late = true
	case 'N', 'T', 'R':
		ok, bad = f.parseTime(o, arg, clk, now), badToken
	case 'M':
		if ok, bad = len(arg) == 1, "CLIENT_ERROR incorrect length for M token"; ok {
			f.mode = arg[0]
		}
	default:
		return f.parseNumber(o, arg)
	}
	if ok {
		bad = ""
	}
	return bad, true
}

// parseTime reads the flags whose argument is an exptime.
func (f *metaFlags) parseTime(o byte, arg []byte, clk clock, now int64) bool {
	exptime, ok := parseInt32(arg)
	if !ok {
		return false
	}
	f.late = true
	switch at := clk.deadline(exptime, now); o {
	case 'N':
		f.vivify, f.vivifyTTL = true, at
	case 'T':
		f.newTTL, f.ttl = true, at
	case 'R':
		f.recache = at
	}
	return true
}

// parseNumber reads the flags whose argument is another number.
func (f *metaFlags) parseNumber(o byte, arg []byte) (bad string, known bool) {
	v, ok := parseUint64(arg)
	switch o {
	case 'F':
		f.clientFlags, bad = uint32(v), badFormat
	case 'C':
		f.cas, f.hasCAS, bad = v, true, badToken
	case 'J':
		f.initial, bad = v, "CLIENT_ERROR invalid numeric initial value"
	case 'D':
		f.delta, bad = v, "CLIENT_ERROR invalid numeric delta value"
	default:
		return "", false
	}
	if ok {
		bad = ""
	}
	return bad, true
}

// decodeKey replaces the key by what it means in base64.
func (f *metaFlags) decodeKey(buf []byte) bool {
	n := decodeBase64(buf, f.key)
	f.key, f.binary = buf[:n], true
	return n > 0
}

// decodeBase64 decodes src as leniently as memcached: what is no base64 character
// is skipped, and the first padding ends it. 0 means that it cannot be decoded.
// dst must be as long as src.
func decodeBase64(dst, src []byte) (n int) {
	count := 0
	for _, ch := range src {
		if _, ok := base64Value(ch); ok {
			dst[count] = ch
			count++
		}
	}
	if count%4 != 0 {
		return 0
	}
	for i := 0; i < count; i += 4 {
		bits, pad := uint32(0), 0
		for _, ch := range dst[i : i+4] {
			v, _ := base64Value(ch)
			bits = bits<<6 | v
			if ch == '=' {
				pad++
			}
		}
		dst[n], dst[n+1], dst[n+2] = byte(bits>>16), byte(bits>>8), byte(bits)
		n += 3
		switch {
		case pad > 2:
			return 0
		case pad > 0:
			return n - pad
		}
	}
	return n
}

// base64Value is the six bits that ch stands for; padding stands for 0.
func base64Value(ch byte) (bits uint32, ok bool) {
	switch {
	case 'A' <= ch && ch <= 'Z':
		return uint32(ch - 'A'), true
	case 'a' <= ch && ch <= 'z':
		return uint32(ch-'a') + 26, true
	case '0' <= ch && ch <= '9':
		return uint32(ch-'0') + 52, true
	case ch == '+':
		return 62, true
	case ch == '/':
		return 63, true
	}
	return 0, ch == '='
}

// maxOpaque is the longest opaque, its O included.
const maxOpaque = 32

// opaqueTooLong reports whether an O flag breaks its bound.
func opaqueTooLong(flags [][]byte) bool {
	for _, t := range flags {
		if t[0] == 'O' && len(t) > maxOpaque {
			return true
		}
	}
	return false
}
