package bench

import (
	"fmt"

	"github.com/ringbeat/ringbeat/mctest"
	"github.com/ringbeat/ringbeat/ring"
)

// Embedded is a fleet of servers in this process.
type Embedded struct {
	*Fleet
	Instances []*mctest.Server
}

// NewEmbedded starts one server per weight, on free ports from port on (0: any port). The
// names are s1, s2, ... so that keys fall on the same servers in every run.
func NewEmbedded(port int, weights ...int) (*Embedded, error) {
	e := &Embedded{}
	var members []ring.Server
	for i, w := range weights {
		cfg := mctest.Config{Addr: "127.0.0.1:0", MaxBytes: 1 << 30}
		if port > 0 {
			cfg.Addr = fmt.Sprintf("127.0.0.1:%d", port+i)
		}
		s, err := mctest.New(cfg)
		if err != nil {
			e.Close()
			return nil, err
		}
		e.Instances = append(e.Instances, s)
		members = append(members, ring.Server{Name: fmt.Sprintf("s%d", i+1), Addr: s.Addr(), Weight: w})
	}
	var err error
	if e.Fleet, err = NewFleet(members, ring.Ketama); err != nil {
		e.Close()
		return nil, err
	}
	e.Fleet.Embedded = true
	return e, nil
}

// Close stops the servers.
func (e *Embedded) Close() {
	for _, s := range e.Instances {
		s.Close()
	}
}
