package bench

import (
	"context"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/report"
)

// runFault breaks the victim at its time and heals it again. The function it returns ends
// the plan early if need be, heals what is broken and waits until that is done.
func (b *bench) runFault(ctx context.Context, start time.Time) (stop func()) {
	f := b.cfg.Fault
	if f == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !sleepUntil(ctx, start.Add(f.At)) {
			return
		}
		b.note(start, f.Kind)
		err := f.Breaker.Break()
		if err != nil {
			b.note(start, f.Kind+" failed: "+err.Error())
		}
		sleepUntil(ctx, start.Add(f.At+f.For))
		if err := f.Breaker.Heal(); err != nil {
			b.note(start, "heal failed: "+err.Error())
			return
		}
		b.note(start, "healed")
		for _, l := range b.lanes {
			l.watch.healed.Store(int64(time.Since(start)))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func (b *bench) note(start time.Time, what string) {
	name := b.cfg.Fleet.Servers[b.cfg.Fault.Victim].Name
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, report.Event{T: seconds(time.Since(start)), Server: name, What: "fault: " + what})
}

// sleepUntil returns false when ctx ended first.
func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
