package heartbeat

import (
	"context"
	"time"

	"github.com/ringbeat/ringbeat/internal/proto"
)

// loop is the monitor's goroutine: the only one that steps the machine.
type loop struct {
	*Monitor
	machine machine
	snap    Snapshot
	timer   *time.Timer
	before  *proto.ProbeStats // as last read
	replay  *replay           // the call of Config.Readmit that runs, or nil
}

// replay is one call of Config.Readmit.
type replay struct {
	cancel context.CancelFunc
	done   chan error // one value
}

func (l *loop) run(ctx context.Context) {
	defer close(l.done)
	defer l.end()
	for {
		var replayed chan error
		if l.replay != nil {
			replayed = l.replay.done
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			l.takeMail()
		case err := <-replayed:
			l.endReplay(err)
		case <-l.timer.C:
			l.probe(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		l.timer.Reset(time.Until(l.machine.next.at))
	}
}

// end releases what the loop holds, and waits for it.
func (l *loop) end() {
	l.timer.Stop()
	l.prober.drop()
	if l.replay != nil {
		l.replay.cancel()
		<-l.replay.done
	}
}

// probe sends the probe that is due and hears its answer, which is judged
// together with what requests have reported meanwhile.
func (l *loop) probe(ctx context.Context) {
	l.takeMail()
	next := l.machine.next
	if time.Now().Before(next.at) {
		return
	}
	woken := time.Since(next.at)
	a := l.prober.probe(ctx, next)
	if ctx.Err() != nil {
		return
	}
	// Who began late was hardly in time while waiting.
	a.late = max(a.late, woken)
	l.snap.Lag = a.late
	l.note(next, &a)
	a.tally = l.takeTally()
	l.step(a.event)
	l.takeMail()
}

// note keeps the figures of a probe.
func (l *loop) note(next plan, a *answer) {
	now := time.Now()
	l.snap.Probes++
	if next.at.Equal(l.machine.prompted) {
		l.snap.Prompted++
	}
	switch a.kind {
	case good:
		l.snap.RTT, l.snap.RepliedAt, l.snap.Version = a.rtt, now, a.version
	case identified:
		l.snap.RepliedAt = now
		l.snap.Incarnation = compare(l.before, a.stats)
		if a.stats != nil {
			l.before = a.stats
		}
	}
}

// step lets the machine take e in, and does what it orders.
func (l *loop) step(e event) {
	now := time.Now()
	e.random = l.cfg.random()
	before := l.machine
	after, o := step(&l.cfg, before, e, now)
	l.machine = after
	l.count(before, e, o, now)
	if o.reason != "" || e.kind != reported {
		l.publish()
	}
	if o.reason == ReasonFall || o.reason == ReasonFallEvidence {
		l.prober.drop() // no socket of ours stays with a lost server
	}
	if o.abandon && l.replay != nil {
		l.replay.cancel() // the machine does not listen to its result any more
	}
	if o.reason != "" {
		l.tell(before.state, o.reason, now)
	}
	if o.replay {
		l.startReplay()
	}
}

// count keeps the figures of a step.
func (l *loop) count(before machine, e event, o orders, now time.Time) {
	counted := l.machine.fails > before.fails
	switch {
	case counted:
		l.snap.Failures++
	case e.kind == timedOut || e.kind == closed || e.kind == ourFault || e.kind == cut:
		l.snap.Inconclusive++
	}
	if counted || e.kind == ourFault || o.reason == ReasonReadmit {
		l.snap.LastErr, l.snap.LastErrAt = e.err, now
	}
	if o.reason != "" {
		l.snap.Since = now
	}
	if before.state.Usable() && l.machine.state == Ejected {
		l.snap.Ejections++
	}
}

// publish shows the machine's state to everybody.
func (l *loop) publish() {
	m := &l.machine
	l.snap.State = m.state
	l.snap.Pinned = m.pinned
	l.snap.EjectedAt, l.snap.Readmitted, l.snap.HoldUntil = m.ejectedAt, m.readmitted, m.holdUntil
	s := l.snap
	l.shown.Store(&s)
}

// tell reports a transition.
func (l *loop) tell(from State, why Reason, now time.Time) {
	if l.cfg.OnTransition == nil {
		return
	}
	t := Transition{
		Addr: l.snap.Addr, From: from, To: l.snap.State, Reason: why, At: now,
		SelfLag: l.snap.Lag, RTT: l.snap.RTT, Incarnation: l.snap.Incarnation,
	}
	switch why {
	case ReasonProbe, ReasonFall, ReasonFallEvidence, ReasonReadmit:
		t.Probes, t.Err = l.machine.fails, l.snap.LastErr
		t.HoldDown = max(0, l.machine.holdUntil.Sub(now))
	case ReasonReplies, ReasonReadmitted:
		t.Probes = l.machine.goods
	case ReasonAnswered:
		t.Probes = 1
	}
	l.cfg.OnTransition(t)
}

// startReplay calls Config.Readmit in a goroutine that end waits for.
func (l *loop) startReplay() {
	if l.cfg.Readmit == nil {
		l.step(event{kind: readmitted})
		return
	}
	if l.replay != nil { // an abandoned one that has not come back yet
		l.step(event{kind: readmitted, err: errBusy})
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.cfg.ReadmitTimeout)
	r := &replay{cancel: cancel, done: make(chan error, 1)}
	l.replay = r
	inc := l.snap.Incarnation
	go func() { r.done <- l.cfg.Readmit(ctx, inc) }()
}

// endReplay takes the result of Config.Readmit.
func (l *loop) endReplay(err error) {
	l.replay.cancel()
	l.replay = nil
	l.step(event{kind: readmitted, err: err})
}
