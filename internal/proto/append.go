package proto

import "strconv"

// Append appends the bytes of request r to b. Keys must have passed CheckKey.
//
// In the meta dialect, opaque is the number that each reply must bring back; a
// multi-get uses as many numbers as it has keys, beginning with opaque.
func Append(b []byte, d Dialect, r *Request, opaque uint32) []byte {
	switch r.Op {
	case OpPing:
		if d == Meta {
			return append(b, "mn\r\n"...)
		}
		return append(b, "version\r\n"...)
	case OpVersion:
		return append(b, "version\r\n"...)
	case OpFlushAll:
		return append(b, "flush_all\r\n"...)
	case OpStats:
		return appendStats(b, r.Key)
	}
	if d == Classic || long(r) {
		return appendClassic(b, r)
	}
	return appendMeta(b, r, opaque)
}

// metaMultiMax is the number of keys up to which a multi-get goes out as quiet mg
// commands. A server answers many pipelined mg with one system call, but works
// longer on each key than in one long classic line; memcached 1.6.18 breaks even
// between 8 and 24 keys, depending on how many requests share the pipeline.
const metaMultiMax = 16

// long reports whether r is a multi-get that is classic in any dialect.
func long(r *Request) bool { return r.Op == OpGetMulti && len(r.Keys) > metaMultiMax }

// numOpaque returns how many opaque numbers a request uses up.
func numOpaque(d Dialect, r *Request) uint16 {
	if r.Op == OpGetMulti && d == Meta {
		return uint16(len(r.Keys)) // at most metaMultiMax
	}
	return 1
}

// CanShare reports whether r can be a part of a shared line: one gets command with
// the keys of several requests. memcached answers it with one system call, where it
// makes one for each 20 commands of a pipeline, and spends less time on each key.
func CanShare(r *Request) bool { return r.Op == OpGet || r.Op == OpGetInto }

// OpenLine begins a shared line. Its requests follow with AppendToLine.
func OpenLine(b []byte) []byte { return append(b, "gets"...) }

// AppendToLine appends the key of r, which CanShare and has passed CheckKey, to the
// open line at the end of b.
func AppendToLine(b []byte, r *Request) []byte { return appendKey(b, " ", r.Key) }

// CloseLine ends the open line at the end of b. The Expect of the last request in it
// must learn of that; see Expect.Last.
func CloseLine(b []byte) []byte { return append(b, "\r\n"...) }

func appendStats(b []byte, arg string) []byte {
	b = append(b, "stats"...)
	if arg != "" {
		b = append(b, ' ')
		b = append(b, arg...)
	}
	return append(b, "\r\n"...)
}

func appendMeta(b []byte, r *Request, opaque uint32) []byte {
	switch r.Op {
	case OpGet:
		b = appendKey(b, "mg ", r.Key)
		b = append(b, " v f c O"...)
	case OpGetInto:
		b = appendKey(b, "mg ", r.Key)
		b = append(b, " v O"...)
	case OpGetAndTouch:
		b = appendKey(b, "mg ", r.Key)
		b = append(b, " v f c T"...)
		b = strconv.AppendInt(b, int64(r.Exptime), 10)
		b = append(b, " O"...)
	case OpTouch:
		b = appendKey(b, "mg ", r.Key)
		b = append(b, " T"...)
		b = strconv.AppendInt(b, int64(r.Exptime), 10)
		b = append(b, " O"...)
	case OpGetMulti:
		return appendMetaMulti(b, r.Keys, opaque)
	case OpDelete:
		b = appendKey(b, "md ", r.Key)
		b = append(b, " O"...)
	case OpIncrement, OpDecrement:
		b = appendKey(b, "ma ", r.Key)
		if r.Op == OpDecrement {
			b = append(b, " MD"...)
		}
		b = append(b, " v D"...)
		b = strconv.AppendUint(b, r.Delta, 10)
		b = append(b, " O"...)
	default:
		return appendMetaSet(b, r, opaque)
	}
	b = appendOpaque(b, opaque)
	return append(b, "\r\n"...)
}

// appendMetaMulti asks for hits only (q), except of the last key: its reply, hit or
// miss, says that all others have been sent. A no-op at the end would say so too, but
// memcached sends what it has at each no-op, with a system call.
func appendMetaMulti(b []byte, keys []string, opaque uint32) []byte {
	for i, key := range keys {
		b = appendKey(b, "mg ", key)
		if i < len(keys)-1 {
			b = append(b, " v f c q O"...)
		} else {
			b = append(b, " v f c O"...)
		}
		b = appendOpaque(b, opaque+uint32(i))
		b = append(b, "\r\n"...)
	}
	return b
}

// metaModes are the mode flags of ms, in the order of the storing Ops.
var metaModes = [...]string{OpSet: "", OpAdd: " ME", OpReplace: " MR", OpAppend: " MA", OpPrepend: " MP", OpCAS: ""}

func appendMetaSet(b []byte, r *Request, opaque uint32) []byte {
	b = appendKey(b, "ms ", r.Key)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(len(r.Value)), 10)
	b = append(b, metaModes[r.Op]...)
	if r.Flags != 0 {
		b = append(b, " F"...)
		b = strconv.AppendUint(b, uint64(r.Flags), 10)
	}
	if r.Exptime != 0 {
		b = append(b, " T"...)
		b = strconv.AppendInt(b, int64(r.Exptime), 10)
	}
	if r.Op == OpCAS {
		b = append(b, " C"...)
		b = strconv.AppendUint(b, r.CAS, 10)
	}
	b = append(b, " O"...)
	b = appendOpaque(b, opaque)
	b = append(b, "\r\n"...)
	b = append(b, r.Value...)
	return append(b, "\r\n"...)
}

func appendClassic(b []byte, r *Request) []byte {
	switch r.Op {
	case OpGet, OpGetInto:
		b = AppendToLine(OpenLine(b), r)
	case OpGetMulti:
		b = OpenLine(b)
		for _, key := range r.Keys {
			b = appendKey(b, " ", key)
		}
	case OpGetAndTouch:
		// gat came with 1.5.3; touch and gets are known to every server since 1.4.8.
		b = appendTouch(b, r)
		b = append(b, "\r\n"...)
		b = appendKey(b, "gets ", r.Key)
	case OpTouch:
		b = appendTouch(b, r)
	case OpDelete:
		b = appendKey(b, "delete ", r.Key)
	case OpIncrement, OpDecrement:
		b = append(b, r.Op.String()...)
		b = appendKey(b, " ", r.Key)
		b = append(b, ' ')
		b = strconv.AppendUint(b, r.Delta, 10)
	default:
		b = appendClassicSet(b, r)
	}
	return append(b, "\r\n"...)
}

func appendTouch(b []byte, r *Request) []byte {
	b = appendKey(b, "touch ", r.Key)
	b = append(b, ' ')
	return strconv.AppendInt(b, int64(r.Exptime), 10)
}

func appendClassicSet(b []byte, r *Request) []byte {
	b = append(b, r.Op.String()...)
	b = appendKey(b, " ", r.Key)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(r.Flags), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(r.Exptime), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(len(r.Value)), 10)
	if r.Op == OpCAS {
		b = append(b, ' ')
		b = strconv.AppendUint(b, r.CAS, 10)
	}
	b = append(b, "\r\n"...)
	return append(b, r.Value...)
}

// AppendAuth appends the login of ASCII authentication (memcached -Y): a set of
// any key whose value is user and password. The reply is STORED or CLIENT_ERROR.
// Neither may hold a line end or, for the user, a space.
func AppendAuth(b []byte, user, password string) []byte {
	b = append(b, "set auth 0 0 "...)
	b = strconv.AppendInt(b, int64(len(user)+1+len(password)), 10)
	b = append(b, "\r\n"...)
	b = append(b, user...)
	b = append(b, ' ')
	b = append(b, password...)
	return append(b, "\r\n"...)
}

func appendKey(b []byte, command, key string) []byte {
	b = append(b, command...)
	return append(b, key...)
}

// appendOpaque writes the number in hexadecimal: shorter than decimal, and cheap
// to read back.
func appendOpaque(b []byte, n uint32) []byte {
	const digits = "0123456789abcdef"
	shift := 28
	for shift > 0 && n>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		b = append(b, digits[n>>shift&15])
	}
	return b
}
