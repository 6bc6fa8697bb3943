package proto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// requests has one request of each kind, and its bytes in both dialects with the
// opaque number 0x1f.
var requests = []struct {
	r             Request
	meta, classic string
}{
	{Request{Op: OpGet, Key: "k"}, "mg k v f c O1f\r\n", "gets k\r\n"},
	{Request{Op: OpGetInto, Key: "k"}, "mg k v O1f\r\n", "gets k\r\n"},
	{Request{Op: OpGetAndTouch, Key: "k", Exptime: 60}, "mg k v f c T60 O1f\r\n", "touch k 60\r\ngets k\r\n"},
	{Request{Op: OpGetMulti, Keys: []string{"a", "b"}}, "mg a v f c q O1f\r\nmg b v f c O20\r\n", "gets a b\r\n"},
	{Request{Op: OpSet, Key: "k", Value: []byte("v")}, "ms k 1 O1f\r\nv\r\n", "set k 0 0 1\r\nv\r\n"},
	{Request{Op: OpSet, Key: "k"}, "ms k 0 O1f\r\n\r\n", "set k 0 0 0\r\n\r\n"},
	{
		Request{Op: OpSet, Key: "k", Value: []byte("v\r\nw"), Flags: 7, Exptime: 60},
		"ms k 4 F7 T60 O1f\r\nv\r\nw\r\n", "set k 7 60 4\r\nv\r\nw\r\n",
	},
	{Request{Op: OpSet, Key: "k", Exptime: -1}, "ms k 0 T-1 O1f\r\n\r\n", "set k 0 -1 0\r\n\r\n"},
	{Request{Op: OpAdd, Key: "k", Value: []byte("v")}, "ms k 1 ME O1f\r\nv\r\n", "add k 0 0 1\r\nv\r\n"},
	{Request{Op: OpReplace, Key: "k", Value: []byte("v")}, "ms k 1 MR O1f\r\nv\r\n", "replace k 0 0 1\r\nv\r\n"},
	{Request{Op: OpAppend, Key: "k", Value: []byte("v")}, "ms k 1 MA O1f\r\nv\r\n", "append k 0 0 1\r\nv\r\n"},
	{Request{Op: OpPrepend, Key: "k", Value: []byte("v")}, "ms k 1 MP O1f\r\nv\r\n", "prepend k 0 0 1\r\nv\r\n"},
	{
		Request{Op: OpCAS, Key: "k", Value: []byte("v"), CAS: 1<<64 - 1},
		"ms k 1 C18446744073709551615 O1f\r\nv\r\n", "cas k 0 0 1 18446744073709551615\r\nv\r\n",
	},
	{Request{Op: OpCAS, Key: "k"}, "ms k 0 C0 O1f\r\n\r\n", "cas k 0 0 0 0\r\n\r\n"},
	{Request{Op: OpDelete, Key: "k"}, "md k O1f\r\n", "delete k\r\n"},
	{Request{Op: OpTouch, Key: "k", Exptime: 60}, "mg k T60 O1f\r\n", "touch k 60\r\n"},
	{Request{Op: OpTouch, Key: "k"}, "mg k T0 O1f\r\n", "touch k 0\r\n"},
	{Request{Op: OpIncrement, Key: "k", Delta: 1<<64 - 1}, "ma k v D18446744073709551615 O1f\r\n", "incr k 18446744073709551615\r\n"},
	{Request{Op: OpDecrement, Key: "k", Delta: 2}, "ma k MD v D2 O1f\r\n", "decr k 2\r\n"},
	{Request{Op: OpPing}, "mn\r\n", "version\r\n"},
	{Request{Op: OpVersion}, "version\r\n", "version\r\n"},
	{Request{Op: OpFlushAll}, "flush_all\r\n", "flush_all\r\n"},
	{Request{Op: OpStats}, "stats\r\n", "stats\r\n"},
	{Request{Op: OpStats, Key: "items"}, "stats items\r\n", "stats items\r\n"},
}

func TestEveryRequestHasItsBytesInBothDialects(t *testing.T) {
	seen := map[Op]bool{}
	for _, c := range requests {
		seen[c.r.Op] = true
		for d, want := range map[Dialect]string{Meta: c.meta, Classic: c.classic} {
			if got := string(Append([]byte("before "), d, &c.r, 0x1f)); got != "before "+want {
				t.Errorf("%v %v: %q, want %q", d, c.r.Op, got, want)
			}
		}
	}
	for op := range numOps {
		if !seen[op] {
			t.Errorf("no request of kind %v (%d) is tested", op, op)
		}
	}
}

func TestOpaqueNumbersAreHexadecimalAndWrapAround(t *testing.T) {
	for n, want := range map[uint32]string{
		0: "0", 1: "1", 9: "9", 10: "a", 15: "f", 16: "10", 0xfff: "fff", 0x1000: "1000", 0xffffffff: "ffffffff",
	} {
		got := string(appendOpaque(nil, n))
		back, rest, ok := parseHex([]byte(got))
		if got != want || back != n || len(rest) > 0 || !ok {
			t.Errorf("%d: %q, want %q; read back as %d (%v)", n, got, want, back, ok)
		}
	}
	r := Request{Op: OpGetMulti, Keys: []string{"a", "b"}}
	if got := string(Append(nil, Meta, &r, 0xffffffff)); got != "mg a v f c q Offffffff\r\nmg b v f c O0\r\n" {
		t.Errorf("multi-get over the end of the numbers: %q", got)
	}
}

func TestLongMultiGetIsOneClassicLine(t *testing.T) {
	keys := make([]string, metaMultiMax+1)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
	}
	r := Request{Op: OpGetMulti, Keys: keys}
	if got, want := string(Append(nil, Meta, &r, 1)), "gets "+strings.Join(keys, " ")+"\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Keys = keys[:metaMultiMax]
	if got := string(Append(nil, Meta, &r, 1)); strings.Count(got, "mg ") != metaMultiMax {
		t.Errorf("%d keys are asked for by %q", metaMultiMax, got)
	}
	if n := numOpaque(Meta, &r); n != metaMultiMax {
		t.Errorf("numOpaque is %d for %d keys", n, metaMultiMax)
	}
}

func TestLoginIsASetOfUserAndPassword(t *testing.T) {
	if got := string(AppendAuth(nil, "user", "pass word")); got != "set auth 0 0 14\r\nuser pass word\r\n" {
		t.Errorf("%q", got)
	}
}

func TestKeysThatNoServerTakesAreRefused(t *testing.T) {
	good := []string{"k", strings.Repeat("k", MaxKeyLen), "schlüssel", "\x80\xff", "a:b/c?d=e&f", "!~"}
	bad := []string{"", strings.Repeat("k", MaxKeyLen+1), "a b", " a", "a ", "a\r\nb", "a\n", "a\x00", "\t", "a\x7f", "a\x1f"}
	for _, key := range good {
		if err := CheckKey(key); err != nil {
			t.Errorf("%q is refused: %v", key, err)
		}
	}
	for _, key := range bad {
		if err := CheckKey(key); err != ErrMalformedKey {
			t.Errorf("%q: %v, want ErrMalformedKey", key, err)
		}
	}
}

func TestEveryOpHasANameAndAKind(t *testing.T) {
	for op := range numOps {
		if strings.HasPrefix(op.String(), "op(") || op.String() == "" {
			t.Errorf("op %d has no name", op)
		}
	}
	if got := numOps.String(); got != "op(18)" {
		t.Errorf("an unknown op is called %q", got)
	}
	for _, c := range requests {
		if c.r.Op.HasKey() != (c.r.Key != "" && c.r.Op != OpStats) {
			t.Errorf("%v: HasKey is %v", c.r.Op, c.r.Op.HasKey())
		}
		if c.r.Op.Stores() != strings.HasPrefix(c.meta, "ms ") {
			t.Errorf("%v: Stores is %v", c.r.Op, c.r.Op.Stores())
		}
	}
	if Meta.String() != "meta" || Classic.String() != "classic" {
		t.Error("the dialects' names are mixed up")
	}
}

// TestCheckKeySeesEveryByte puts every byte at every place of keys of many lengths.
func TestCheckKeySeesEveryByte(t *testing.T) {
	for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, 249, 250} {
		for _, fill := range []byte{'!', '~', 0x80, 0xff} {
			key := bytes.Repeat([]byte{fill}, n)
			for at := range key {
				for c := range 256 {
					key[at] = byte(c)
					want := c <= ' ' || c == 0x7f
					if got := CheckKey(string(key)) != nil; got != want {
						t.Fatalf("byte %#x at %d of %d bytes %#x: refused %v, want %v", c, at, n, fill, got, want)
					}
				}
				key[at] = fill
			}
		}
	}
}
