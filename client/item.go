package client

// A got item and a value of up to maxTogether bytes are one allocation: at high
// rates the garbage collector's work is a good part of a get. The sizes waste
// little of the runtime's size classes.

const maxTogether = 1024

type (
	item64 struct {
		Item
		b [64]byte
	}
	item128 struct {
		Item
		b [128]byte
	}
	item256 struct {
		Item
		b [256]byte
	}
	item512 struct {
		Item
		b [512]byte
	}
	item1024 struct {
		Item
		b [maxTogether]byte
	}
)

// alloc makes k.item and returns n bytes for its value beside it. The pool calls
// it when the value has arrived. A longer value stands alone: alloc returns nil.
func (k *call) alloc(n int) []byte {
	switch {
	case n <= 64:
		i := new(item64)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 128:
		i := new(item128)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 256:
		i := new(item256)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= 512:
		i := new(item512)
		k.item = &i.Item
		return i.b[:n:n]
	case n <= maxTogether:
		i := new(item1024)
		k.item = &i.Item
		return i.b[:n:n]
	}
	k.item = nil
	return nil
}
