package proto

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// FuzzReply feeds the reply parser with anything. It must not panic, not look
// beyond what it was given, and find the same however the bytes arrive.
func FuzzReply(f *testing.F) {
	for _, c := range replies {
		kind := slices.IndexFunc(everyKind, func(r Request) bool { return r.Op == c.r.Op })
		f.Add([]byte(c.in), uint8(kind), c.d == Classic, uint16(len(c.in)/2), uint16(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, kind uint8, classic bool, cut, width uint16) {
		r := &everyKind[int(kind)%len(everyKind)]
		d := Meta
		if classic {
			d = Classic
		}
		want, wantErr := read(d, r, string(in))
		checkRead(t, in, want, wantErr)
		for _, cuts := range [][]int{{int(cut) % (len(in) + 1)}, everyNth(len(in), int(width))} {
			got, err := read(d, r, string(in), cuts...)
			checkRead(t, in, got, err)
			if !reflect.DeepEqual(got, want) || errors.Is(err, ErrMalformed) != errors.Is(wantErr, ErrMalformed) {
				t.Errorf("%v %v %q cut at %v: %+v (%v), in one piece %+v (%v)", d, r.Op, in, cuts, got, err, want, wantErr)
			}
		}
	})
}

// everyNth returns the places that cut n bytes into pieces of width, at most 1,000.
func everyNth(n, width int) (cuts []int) {
	width = max(width, 1, n/1000)
	for cut := width; cut < n; cut += width {
		cuts = append(cuts, cut)
	}
	return cuts
}

// checkRead checks what holds for each outcome.
func checkRead(t *testing.T, in []byte, w whole, err error) {
	t.Helper()
	switch {
	case err == nil, err == errMore, errors.Is(err, ErrMalformed):
	default:
		t.Fatalf("%q: %v", in, err)
	}
	admin := w.reply.admin()
	size := len(w.reply.Value) + len(admin.Version)
	for _, h := range w.hits {
		size += len(h.value)
	}
	for _, s := range admin.Stats {
		size += len(s[0]) + len(s[1])
	}
	if size > len(in) {
		t.Errorf("%q: %d bytes were made of %d", in, size, len(in))
	}
}

// FuzzRequest builds requests of anything that passes CheckKey, and reads them like
// a server: there must be just the commands that were meant, with just their
// tokens.
func FuzzRequest(f *testing.F) {
	for kind := range everyKind {
		f.Add(uint8(kind), false, "key", "other", []byte("value"), uint32(1), int32(2), uint64(3), uint32(0x1f))
		f.Add(uint8(kind), true, "k\x80", "k", []byte("\r\nmn\r\n"), uint32(1<<31), int32(-1), uint64(1<<63), ^uint32(0))
	}
	f.Add(uint8(0), false, "k v\r\nflush_all", "k\r\n", []byte(nil), uint32(0), int32(0), uint64(0), uint32(0))
	f.Fuzz(func(t *testing.T, kind uint8, classic bool, k1, k2 string, value []byte, flags uint32, exptime int32, number uint64, opaque uint32) {
		if CheckKey(k1) != nil || CheckKey(k2) != nil {
			return
		}
		r := Request{
			Op: everyKind[int(kind)%len(everyKind)].Op, Key: k1, Keys: []string{k1, k2, k1},
			Value: value, Flags: flags, Exptime: exptime, CAS: number, Delta: number,
		}
		d := Meta
		if classic {
			d = Classic
		}
		b := Append(nil, d, &r, opaque)
		got, rest := commands(b)
		if len(rest) > 0 {
			t.Fatalf("%q: a server would wait for more after %q", b, rest)
		}
		if want := meant(d, &r, opaque); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", b, got, want)
		}
	})
}

// commands splits b like a server does: at line ends, with the value that a storing
// command announces, and at spaces. rest is an incomplete command.
func commands(b []byte) (all [][]string, rest []byte) {
	for len(b) > 0 {
		line, after, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return all, b
		}
		tokens := strings.Split(strings.TrimSuffix(string(line), "\r"), " ")
		if size := announced(tokens); size >= 0 {
			if len(after) < size+2 || string(after[size:size+2]) != "\r\n" {
				return all, b
			}
			tokens = append(tokens, "value "+string(after[:size]))
			after = after[size+2:]
		}
		all = append(all, tokens)
		b = after
	}
	return all, nil
}

// announced returns the size of the value that follows a command line, or -1.
func announced(tokens []string) int {
	at := 4
	switch tokens[0] {
	case "ms":
		at = 2
	case "set", "add", "replace", "append", "prepend", "cas":
	default:
		return -1
	}
	size, err := strconv.Atoi(tokens[at])
	if err != nil {
		return -1
	}
	return size
}

// meant writes out the tokens of the commands that r stands for, in the words of
// memcached's protocol.txt.
func meant(d Dialect, r *Request, opaque uint32) [][]string {
	switch r.Op {
	case OpVersion:
		return [][]string{{"version"}}
	case OpFlushAll:
		return [][]string{{"flush_all"}}
	case OpStats:
		return [][]string{{"stats", r.Key}}
	}
	if d == Classic {
		return meantClassic(r)
	}
	return meantMeta(r, opaque)
}

func meantClassic(r *Request) [][]string {
	exptime := strconv.Itoa(int(r.Exptime))
	number := strconv.FormatUint(r.CAS, 10)
	switch r.Op {
	case OpGet, OpGetInto:
		return [][]string{{"gets", r.Key}}
	case OpGetMulti:
		return [][]string{append([]string{"gets"}, r.Keys...)}
	case OpGetAndTouch:
		return [][]string{{"touch", r.Key, exptime}, {"gets", r.Key}}
	case OpTouch:
		return [][]string{{"touch", r.Key, exptime}}
	case OpDelete:
		return [][]string{{"delete", r.Key}}
	case OpIncrement, OpDecrement:
		return [][]string{{r.Op.String(), r.Key, number}}
	case OpPing:
		return [][]string{{"version"}}
	}
	tokens := []string{r.Op.String(), r.Key, strconv.FormatUint(uint64(r.Flags), 10), exptime, strconv.Itoa(len(r.Value))}
	if r.Op == OpCAS {
		tokens = append(tokens, number)
	}
	return [][]string{append(tokens, "value "+string(r.Value))}
}

func meantMeta(r *Request, opaque uint32) [][]string {
	o := func(i int) string { return "O" + strconv.FormatUint(uint64(opaque+uint32(i)), 16) }
	exptime := "T" + strconv.Itoa(int(r.Exptime))
	number := strconv.FormatUint(r.CAS, 10)
	switch r.Op {
	case OpGet:
		return [][]string{{"mg", r.Key, "v", "f", "c", o(0)}}
	case OpGetInto:
		return [][]string{{"mg", r.Key, "v", o(0)}}
	case OpGetMulti:
		var all [][]string
		for i, key := range r.Keys {
			tokens := []string{"mg", key, "v", "f", "c", "q", o(i)}
			if i == len(r.Keys)-1 {
				tokens = slices.Delete(tokens, 5, 6) // the last one is never quiet
			}
			all = append(all, tokens)
		}
		return all
	case OpGetAndTouch:
		return [][]string{{"mg", r.Key, "v", "f", "c", exptime, o(0)}}
	case OpTouch:
		return [][]string{{"mg", r.Key, exptime, o(0)}}
	case OpDelete:
		return [][]string{{"md", r.Key, o(0)}}
	case OpIncrement:
		return [][]string{{"ma", r.Key, "v", "D" + number, o(0)}}
	case OpDecrement:
		return [][]string{{"ma", r.Key, "MD", "v", "D" + number, o(0)}}
	case OpPing:
		return [][]string{{"mn"}}
	}
	tokens := []string{"ms", r.Key, strconv.Itoa(len(r.Value))}
	mode := map[Op]string{OpAdd: "ME", OpReplace: "MR", OpAppend: "MA", OpPrepend: "MP"}[r.Op]
	for flag, wanted := range map[string]bool{
		mode: mode != "", "F" + strconv.FormatUint(uint64(r.Flags), 10): r.Flags != 0,
		exptime: r.Exptime != 0, "C" + number: r.Op == OpCAS, o(0): true,
	} {
		if wanted {
			tokens = append(tokens, flag)
		}
	}
	slices.SortFunc(tokens[3:], func(a, b string) int { return strings.Index("MFTCO", a[:1]) - strings.Index("MFTCO", b[:1]) })
	return [][]string{append(tokens, "value "+string(r.Value))}
}
