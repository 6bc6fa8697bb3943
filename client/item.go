package client

// A got item and a value of up to maxTogether bytes are one allocation: at high
// rates the garbage collector's work is a good part of a get. With the Item's 56
// bytes each size fills one of the runtime's size classes.

const maxTogether = 960

type (
	item40 struct {
		Item
		b [40]byte
	}
	item72 struct {
		Item
		b [72]byte
	}
	item104 struct {
		Item
		b [104]byte
	}
	item136 struct {
		Item
		b [136]byte
	}
	item200 struct {
		Item
		b [200]byte
	}
	item328 struct {
		Item
		b [328]byte
	}
	item456 struct {
		Item
		b [456]byte
	}
	item960 struct {
		Item
		b [maxTogether]byte
	}
)

// alloc makes k.item and returns n bytes for its value beside it. The pool calls
// it when the value has arrived. A longer value stands alone: alloc returns nil.
func (k *call) alloc(n int) []byte {
	switch {
	case n <= 40:
		i := new(item40)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 72:
		i := new(item72)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 104:
		i := new(item104)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 136:
		i := new(item136)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 200:
		i := new(item200)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 328:
		i := new(item328)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 456:
		i := new(item456)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= maxTogether:
		i := new(item960)
		k.item = &i.Item
		return i.b[:n:n]
	}
	k.item = nil
	return nil
}
