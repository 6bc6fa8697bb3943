package workload

import (
	"fmt"
	"strconv"
	"strings"
)

// Op is one kind of request.
type Op uint8

// The operations. Fill is the set that follows a get's miss; it is never drawn from a mix.
const (
	Get Op = iota
	Set
	Add
	Delete
	Incr
	Touch
	MGet
	CAS
	Fill
	NumOps int = iota
)

// String returns the operation's name as it is written in a mix.
func (o Op) String() string {
	names := [NumOps]string{"get", "set", "add", "delete", "incr", "touch", "mget", "cas", "fill"}
	return names[o]
}

// Mix is the share of each operation, summing to 1.
type Mix [NumOps]float64

// ParseRatio reads memtier's SET:GET, such as 1:9.
func ParseRatio(s string) (Mix, error) {
	set, get, ok := strings.Cut(s, ":")
	a, err1 := strconv.ParseFloat(set, 64)
	b, err2 := strconv.ParseFloat(get, 64)
	if !ok || err1 != nil || err2 != nil || !(a >= 0 && b >= 0 && a+b > 0) {
		return Mix{}, fmt.Errorf("ratio %q: want SET:GET, such as 1:9", s)
	}
	return Mix{Get: b / (a + b), Set: a / (a + b)}, nil
}

// ParseMix reads weights per operation, such as get=90,set=8,delete=2.
func ParseMix(s string) (Mix, error) {
	var m Mix
	total := 0.0
	for part := range strings.SplitSeq(s, ",") {
		name, weight, ok := strings.Cut(strings.TrimSpace(part), "=")
		op, known := opNamed(name)
		w, err := strconv.ParseFloat(weight, 64)
		if !ok || !known || err != nil || !(w >= 0) {
			return Mix{}, fmt.Errorf("mix %q: %q is no OP=WEIGHT with OP one of get set add delete incr touch mget cas", s, part)
		}
		m[op] += w
		total += w
	}
	if total <= 0 {
		return Mix{}, fmt.Errorf("mix %q: all weights are 0", s)
	}
	for i := range m {
		m[i] /= total
	}
	return m, nil
}

func opNamed(name string) (Op, bool) {
	for op := range Fill {
		if op.String() == name {
			return op, true
		}
	}
	return 0, false
}

// String returns the mix in the form ParseMix reads, in percent.
func (m Mix) String() string {
	var parts []string
	for op, share := range m {
		if share > 0 {
			parts = append(parts, Op(op).String()+"="+strconv.FormatFloat(share*100, 'g', 4, 64))
		}
	}
	return strings.Join(parts, ",")
}

// pick draws an operation.
func (m *Mix) pick(r *Rand) Op {
	u, last := r.Float64(), Get
	for op, share := range m {
		if share == 0 {
			continue
		}
		if u < share {
			return Op(op)
		}
		u -= share
		last = Op(op)
	}
	return last
}

// writes returns the share of the requests that store a new value.
func (m *Mix) writes() float64 { return m[Set] + m[Add] + m[CAS] }
