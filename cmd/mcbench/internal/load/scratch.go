package load

import (
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

// Scratch is what one worker keeps between requests, so that a request allocates nothing.
type Scratch struct {
	sample measure.Sample
	req    workload.Request
	value  []byte   // to be stored
	got    []byte   // read back
	names  []string // of a multi-get
	floors []uint32 // of a multi-get
	visit  func(i int, value []byte)
}

// NewScratch returns an empty Scratch.
func NewScratch() *Scratch { return &Scratch{} }
