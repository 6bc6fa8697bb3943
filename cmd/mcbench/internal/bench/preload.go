package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/load"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/measure"
	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/workload"
)

const (
	preloadWorkers = 64
	// giveUpAfter failures in a row on the keys of one server end the preload of that server:
	// at one timeout per key the rest would take minutes and tell nothing new.
	giveUpAfter = 200
)

// preload stores version 0 of every key.
type preload struct {
	lane    *lane
	total   int
	next    atomic.Int64
	stored  atomic.Int64
	failed  []atomic.Int64 // per home server
	inARow  []atomic.Int64 // per home server
	errOnce []sync.Once
	errs    []string // per home server: the first reason
}

func (l *lane) preload(ctx context.Context, v View) error {
	k := l.session.Workload.Keys
	n := len(l.cfg.Fleet.Servers)
	p := &preload{
		lane: l, total: k.Len(), failed: make([]atomic.Int64, n), inARow: make([]atomic.Int64, n),
		errOnce: make([]sync.Once, n), errs: make([]string, n),
	}
	if l.cfg.Workload.Mix[workload.Incr] > 0 {
		p.total += k.Counters()
	}
	p.run(ctx, v)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.verdict(v)
}

func (p *preload) run(ctx context.Context, v View) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range preloadWorkers {
		wg.Go(func() { p.work(ctx) })
	}
	go func() {
		wg.Wait()
		close(done)
	}()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			v.Progress("preload", int(min(p.next.Load(), int64(p.total))), p.total)
		}
	}
}

func (p *preload) work(ctx context.Context) {
	s := load.NewScratch()
	keys := p.lane.session.Workload.Keys
	for ctx.Err() == nil {
		i := int(p.next.Add(1) - 1)
		if i >= p.total {
			return
		}
		key := i
		if i >= keys.Len() {
			key = keys.Counter(i - keys.Len())
		}
		home := p.lane.session.Homes[key]
		if p.inARow[home].Load() >= giveUpAfter {
			p.failed[home].Add(1)
			continue
		}
		if err := p.store(key, s); err != nil {
			p.failed[home].Add(1)
			p.inARow[home].Add(1)
			p.errOnce[home].Do(func() { p.errs[home] = measure.Classify(err) })
			continue
		}
		p.inARow[home].Store(0)
		p.stored.Add(1)
	}
}

// store tries a few times: a hiccup of a busy machine is no reason for a miss later.
func (p *preload) store(key int, s *load.Scratch) (err error) {
	const tries = 3
	for range tries {
		if err = p.lane.session.Store(key, s); err == nil {
			return nil
		}
	}
	return err
}

func (p *preload) verdict(v View) error {
	for i, s := range p.lane.cfg.Fleet.Servers {
		if n := p.failed[i].Load(); n > 0 {
			v.Note(fmt.Sprintf("preload: %d keys of %s could not be stored (%s)", n, s.Name, p.errs[i]))
		}
	}
	if p.stored.Load() == 0 {
		return fmt.Errorf("preload: none of %d keys could be stored", p.total)
	}
	return nil
}
