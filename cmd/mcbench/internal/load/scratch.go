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

// NewScratch returns an empty Scratch.
func NewScratch() *Scratch { return &Scratch{} }
