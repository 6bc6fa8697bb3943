package heartbeat

import (
	"slices"
	"time"
)

// Route says where the requests of one server's keys go.
type Route uint8

// The routes.
const (
	Serve    Route = iota // to the server itself
	Move                  // to the stand-in
	FailFast              // nowhere: they fail at once
)

var routeNames = [...]string{"serve", "move", "fail fast"}

// String returns the route's name.
func (r Route) String() string { return routeNames[min(int(r), len(routeNames)-1)] }

// View is what a client does about the states of all its servers.
type View struct {
	// Routes has one entry per server, in the order given to Judge.
	Routes []Route
	// Moved counts the servers whose keys have moved.
	Moved int
	// LocalFault says that all servers were lost at once, so that it is this
	// process or its network that is cut off. No further keys move.
	LocalFault bool
	// Forgive says that no server is left to serve: the client calls
	// [Monitor.Forgive] on each, so that the first that answers is readmitted
	// without hold-down.
	Forgive bool
	// Until is when the view changes by itself; ask Judge again then. Zero
	// means that it holds until the next transition.
	Until time.Time
}

// faultWindow is the time within which servers must be lost for the loss to be
// one event, and ours. It covers the spread of detection, which is up to 2.1 s
// by probes alone, for every server alike.
const faultWindow = 5 * time.Second

// Judge joins what the monitors of all servers say. It is pure and total.
//
// Keys of servers that are out move to their stand-ins, for at most maxMoved
// servers at a time, those lost first first; keys of the others fail fast, so
// that the survivors are not crushed. 0 means max(1, n/3), a negative maxMoved
// means no cap. What an operator took out moves before the others; a server
// that has not served yet moves and is not counted: its keys are where they
// were.
//
// The last usable server goes on to serve whatever its probes say: with nowhere
// else to go, a wrong verdict would do more harm than a right one could avert.
// When two or more servers, and with them the last usable one, are lost within
// five seconds, the fault is local: the keys of those servers do not move but
// fail fast, until five seconds after the first of them is back. A single
// server has no stand-in and fails fast.
func Judge(now time.Time, servers []Snapshot, maxMoved int) View {
	v := View{Routes: make([]Route, len(servers))}
	if maxMoved == 0 {
		maxMoved = max(1, len(servers)/3)
	}
	usable := 0
	var out []int
	for i := range servers {
		if servers[i].State.Usable() {
			usable++
		} else {
			out = append(out, i)
		}
	}
	v.Forgive = usable == 0 && len(servers) > 0
	slices.SortStableFunc(out, func(a, b int) int { return compareOut(&servers[a], &servers[b]) })

	lostTogether := v.findLocalFault(now, servers, usable)
	last := -1
	if usable == 0 && !v.LocalFault && len(servers) > 1 {
		last = lastUsable(servers)
	}
	for _, i := range out {
		s := &servers[i]
		switch fresh := neverServed(s); {
		case i == last:
			v.Routes[i] = Serve
		case usable == 0 && last < 0, v.LocalFault && !s.Pinned && !fresh && !s.EjectedAt.Before(lostTogether):
			v.Routes[i] = FailFast
		case fresh:
			v.Routes[i] = Move
		case maxMoved >= 0 && v.Moved >= maxMoved:
			v.Routes[i] = FailFast
		default:
			v.Routes[i] = Move
			v.Moved++
		}
	}
	return v
}

// compareOut orders servers that are out by their claim to have keys moved.
func compareOut(a, b *Snapshot) int {
	if a.Pinned != b.Pinned {
		if a.Pinned {
			return -1
		}
		return 1
	}
	return a.EjectedAt.Compare(b.EjectedAt)
}

// neverServed reports that s was added at run time and has not replied yet.
func neverServed(s *Snapshot) bool { return !s.State.Usable() && s.EjectedAt.IsZero() }

// lastUsable returns the server that failed last, or -1: the one that is most
// likely still there.
func lastUsable(servers []Snapshot) int {
	last := -1
	for i := range servers {
		s := &servers[i]
		if s.Pinned || neverServed(s) {
			continue
		}
		if last < 0 || s.EjectedAt.After(servers[last].EjectedAt) {
			last = i
		}
	}
	return last
}

// findLocalFault decides whether all servers were lost at once, and not yet
// five seconds ago found again. It returns when the loss began.
func (v *View) findLocalFault(now time.Time, servers []Snapshot, usable int) (began time.Time) {
	var dark time.Time // the moment when the last server was lost
	for i := range servers {
		if s := &servers[i]; !s.Pinned && s.EjectedAt.After(dark) {
			dark = s.EjectedAt
		}
	}
	if dark.IsZero() {
		return dark
	}
	began = dark.Add(-faultWindow)
	together := 0
	var back time.Time // the first readmission after it
	for i := range servers {
		s := &servers[i]
		if !s.Pinned && !s.EjectedAt.Before(began) {
			together++
		}
		if !s.State.Usable() {
			continue
		}
		if s.Readmitted.Before(dark) {
			return began // it was serving all the time
		}
		if back.IsZero() || s.Readmitted.Before(back) {
			back = s.Readmitted
		}
	}
	if together < 2 {
		return began
	}
	if usable == 0 {
		v.LocalFault = true
	} else if until := back.Add(faultWindow); now.Before(until) {
		v.LocalFault, v.Until = true, until
	}
	return began
}
