package ring

import "strconv"

// labelled returns a scheme's points rule for rings that hash the labels
// prefix(name) + sep + 0, 1, 2, ...
func labelled(prefix func(name string) string, sep string, hash func(dst []uint64, label []byte) []uint64) func([]uint64, string, int) []uint64 {
	return func(dst []uint64, name string, n int) []uint64 {
		label := append([]byte(prefix(name)), sep...)
		start := len(label)
		for k := range n {
			label = strconv.AppendInt(label[:start], int64(k), 10)
			dst = hash(dst, label)
		}
		return dst
	}
}

// whole hashes the name as it is.
func whole(name string) string { return name }
