package heartbeat_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ringbeat/ringbeat/heartbeat"
)

// A monitor tells of each change of state, and asks for repair before its
// server serves again.
func ExampleStart() {
	m := heartbeat.Start("10.0.0.1:11211", heartbeat.Config{
		OnTransition: func(t heartbeat.Transition) {
			fmt.Println(t.Addr, t.From, "->", t.To, t.Reason, t.Err)
		},
		Readmit: func(ctx context.Context, i heartbeat.Incarnation) error {
			if i.Empty() {
				return nil // a new process: nothing of ours is in it
			}
			return deleteWhatChanged(ctx)
		},
	})
	defer m.Stop()

	if m.State().Usable() {
		// send the request, and when it got no answer in time:
		m.Report(heartbeat.Evidence{Kind: heartbeat.Timeout, Conn: 1})
	}
}

func deleteWhatChanged(context.Context) error { return nil }

// One server of three is out: its keys move to their stand-ins. When all are
// out at once it is our own fault, and no keys move.
func ExampleJudge() {
	now := time.Now()
	up := heartbeat.Snapshot{State: heartbeat.Healthy}
	out := heartbeat.Snapshot{State: heartbeat.Ejected, EjectedAt: now.Add(-time.Second)}

	v := heartbeat.Judge(now, []heartbeat.Snapshot{up, out, up}, 0)
	fmt.Println(v.Routes, v.LocalFault)
	v = heartbeat.Judge(now, []heartbeat.Snapshot{out, out, out}, 0)
	fmt.Println(v.Routes, v.LocalFault)
	// Output:
	// [serve move serve] false
	// [fail fast fail fast fail fast] true
}
