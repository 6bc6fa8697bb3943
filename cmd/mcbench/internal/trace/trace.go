// Package trace reads cache traces in the format of github.com/twitter/cache-trace, one
// request per line, and replays them.
package trace

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Record is one request of a trace.
type Record struct {
	Second int64 // of the request; the traces know no finer time
	Key    int32 // its place in Trace.Keys
	Size   int32 // of the value in bytes
	TTL    int32 // seconds
	Op     workload.Op
}

// Trace is a stretch of a trace in memory.
type Trace struct {
	Records []Record
	Keys    []string
}

// ErrEmpty reports a trace without a single request.
var ErrEmpty = errors.New("the trace holds no request")

// Read reads at most limit requests. The columns are timestamp, key, key size, value size,
// client id, operation, TTL. Keys are replaced by names as long as the originals.
func Read(r io.Reader, limit int) (*Trace, error) {
	t := &Trace{}
	index := map[string]int32{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan() && len(t.Records) < limit; n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		rec, key, keySize, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		id, known := index[key]
		if !known {
			id = int32(len(t.Keys))
			index[strings.Clone(key)] = id
			t.Keys = append(t.Keys, keyName(int(id), keySize))
		}
		rec.Key = id
		t.Records = append(t.Records, rec)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(t.Records) == 0 {
		return nil, ErrEmpty
	}
	slices.SortStableFunc(t.Records, func(a, b Record) int { return cmp.Compare(a.Second, b.Second) })
	return t, nil
}

const columns = 7

func parse(line string) (r Record, key string, keySize int, err error) {
	f := strings.Split(line, ",")
	if len(f) < columns {
		return r, "", 0, fmt.Errorf("%d columns, want %d: timestamp,key,key size,value size,client id,operation,ttl", len(f), columns)
	}
	// A key may hold commas: the columns after it are counted from the end.
	tail := f[len(f)-5:]
	key = strings.Join(f[1:len(f)-5], ",")
	second, e1 := strconv.ParseInt(f[0], 10, 64)
	keySize, e2 := strconv.Atoi(tail[0])
	size, e3 := strconv.Atoi(tail[1])
	ttl, e4 := strconv.Atoi(tail[4])
	op, e5 := opOf(tail[3])
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		return r, "", 0, err
	}
	const month = 30 * 24 * 3600
	r = Record{
		Second: second, Size: int32(min(max(size, 0), workload.MaxValueSize)),
		TTL: int32(min(max(ttl, 0), month)), Op: op,
	}
	return r, key, keySize, nil
}

// opOf maps the trace's operations to ours. What changes a value in a way of its own
// (replace, append, prepend) stores the traced size by a plain set.
func opOf(name string) (workload.Op, error) {
	switch name {
	case "get", "gets":
		return workload.Get, nil
	case "set", "replace", "append", "prepend":
		return workload.Set, nil
	case "add":
		return workload.Add, nil
	case "cas":
		return workload.CAS, nil
	case "delete":
		return workload.Delete, nil
	case "incr", "decr":
		return workload.Incr, nil
	}
	return 0, fmt.Errorf("unknown operation %q", name)
}

func keyName(id, size int) string {
	name := "t" + strconv.Itoa(id)
	if pad := min(size, workload.MaxKeySize) - len(name); pad > 0 {
		name += strings.Repeat(".", pad)
	}
	return name
}

// Due returns when each request is due: its second, divided by speed, with the requests of
// a second spread over it at random by seed.
func (t *Trace) Due(speed float64, seed uint64) []time.Duration {
	rng := rand.New(rand.NewPCG(seed, 0x7472_6163_65))
	due := make([]time.Duration, len(t.Records))
	first := t.Records[0].Second
	for from := 0; from < len(due); {
		to := from
		for to < len(due) && t.Records[to].Second == t.Records[from].Second {
			due[to] = time.Duration((float64(t.Records[to].Second-first) + rng.Float64()) / speed * float64(time.Second))
			to++
		}
		slices.Sort(due[from:to])
		from = to
	}
	return due
}
