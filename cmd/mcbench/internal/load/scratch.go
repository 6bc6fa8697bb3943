package load

import (
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Scratch is what one worker keeps between requests, so that a request allocates nothing.
type Scratch struct {
	Slot uint64 // for a Doer whose Follow needs it
	Got  []byte // read back

	sample measure.Sample
	req    workload.Request
	value  []byte   // to be stored
	names  []string // of a multi-get
	floors []uint32 // of a multi-get
	visit  func(i int, value []byte)
}

// NewScratch returns a Scratch with room for common requests, so that a worker allocates
// when it starts and hardly ever later.
func NewScratch() *Scratch {
	const valueSize, multiKeys = 256, 16
	s := &Scratch{
		Got: make([]byte, 0, valueSize), value: make([]byte, 0, valueSize),
		names: make([]string, 0, multiKeys), floors: make([]uint32, 0, multiKeys),
	}
	s.req.Keys = make([]int, 0, multiKeys)
	return s
}
