package heartbeat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// standing builds the snapshot of a server from a word: "up", "out@-3" ejected
// 3 s ago, "up@-9/-1" ejected 9 s and readmitted 1 s ago, "pinned@-4" taken out
// by an operator, "new" added and not served yet. "probation@-3" has been
// ejected 3 s ago and answers.
func standing(t *testing.T, word string) Snapshot {
	t.Helper()
	kind, times, _ := strings.Cut(word, "@")
	var ejected, readmitted int
	if times != "" {
		if n, _ := fmt.Sscanf(times, "%d/%d", &ejected, &readmitted); n == 0 {
			t.Fatalf("bad word %q", word)
		}
	}
	ago := func(seconds int) time.Time {
		if seconds == 0 {
			return time.Time{}
		}
		return noon.Add(time.Duration(seconds) * time.Second)
	}
	states := map[string]State{"up": Healthy, "suspect": Suspect, "out": Ejected, "pinned": Ejected, "new": Probation, "probation": Probation}
	state, ok := states[kind]
	if !ok {
		t.Fatalf("bad word %q", word)
	}
	return Snapshot{State: state, Pinned: kind == "pinned", EjectedAt: ago(ejected), Readmitted: ago(readmitted)}
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name    string
		servers string
		max     int
		want    string // one letter per server: s(erve), m(ove), f(ail fast); then local, forgive
		until   time.Duration
	}{
		{"none", "", 0, "", 0},
		{"all well", "up suspect up", 0, "sss", 0},
		{"one out of three", "up out@-3 up", 0, "sms", 0},
		{"in probation keys are still elsewhere", "up probation@-3 up", 0, "sms", 0},
		{"two out of four: the first lost moves", "out@-3 up out@-7 up", 0, "fsms", 0},
		{"two out of six may both move", "out@-3 up out@-7 up up up", 0, "msmsss", 0},
		{"a cap of two", "out@-3 up out@-7 out@-9", 2, "fsmm", 0},
		{"no cap", "out@-3 up out@-7 out@-9", -1, "msmm", 0},
		{"lost at the same moment: the first in the list", "up out@-3 out@-3 up", 0, "smfs", 0},
		{"a single server fails fast", "out@-3", 0, "f forgive", 0},
		{"a single server cannot be pinned to serve", "pinned@-3", 0, "f forgive", 0},
		{"the last usable one serves on", "out@-60 out@-3", 0, "ms forgive", 0},
		{"the last usable of three, and the cap holds", "out@-60 out@-3 out@-30", 0, "msf forgive", 0},
		{"all lost at once is our fault", "out@-2 out@-3", 0, "ff local forgive", 0},
		{"all lost within five seconds", "out@-1 out@-6 out@-3", 0, "fff local forgive", 0},
		{"the last two of three lost at once", "out@-60 out@-3 out@-2", 0, "fff local forgive", 0},
		{"two of three lost at once is theirs", "out@-3 out@-3 up", 0, "mfs", 0},
		{"the first is back: no keys move for five seconds", "up@-9/-1 out@-8", 0, "sf local", 4 * time.Second},
		{"five seconds after the first is back", "up@-9/-5 out@-8", 0, "sm", 0},
		{"back before the last was lost: not all at once", "up@-9/-7 out@-6", 0, "sm", 0},
		{"back before the last was lost, a moment ago", "up@-4/-3 out@-2", 0, "sm", 0},
		{"the one lost long ago moves again when the others are back", "out@-60 up@-9/-1 out@-8", 0, "msf local", 4 * time.Second},
		{"all back", "up@-9/-1 up@-9/-2", 0, "ss local", 3 * time.Second},
		{"a pinned server moves first", "out@-60 pinned@-3 up up", 0, "fmss", 0},
		{"a pinned server is no sign of a local fault", "pinned@-3 out@-3", 0, "ms forgive", 0},
		{"all pinned", "pinned@-3 pinned@-4", 0, "ff forgive", 0},
		{"a new server moves uncounted", "new out@-3 up", 0, "mms", 0},
		{"nothing but new servers", "new new", 0, "ff forgive", 0},
		{"a new server is not the last usable one", "new out@-3", 0, "ms forgive", 0},
	} {
		var servers []Snapshot
		for _, word := range strings.Fields(tc.servers) {
			servers = append(servers, standing(t, word))
		}
		before := slices.Clone(servers)
		v := Judge(noon, servers, tc.max)
		var got strings.Builder
		moved := 0
		for i, r := range v.Routes {
			got.WriteString(r.String()[:1])
			if r == Move && !neverServed(&servers[i]) {
				moved++
			}
		}
		if v.LocalFault {
			got.WriteString(" local")
		}
		if v.Forgive {
			got.WriteString(" forgive")
		}
		if got.String() != tc.want || v.Moved != moved {
			t.Errorf("%s: %q with %d moved, want %q", tc.name, got.String(), v.Moved, tc.want)
		}
		if until := v.Until; until.IsZero() != (tc.until == 0) || tc.until != 0 && until.Sub(noon) != tc.until {
			t.Errorf("%s: holds until %v, want %v", tc.name, until, tc.until)
		}
		if !slices.Equal(before, servers) {
			t.Errorf("%s: the input was changed", tc.name)
		}
	}
}

// TestJudgeEverySet goes through all sets of up to four servers over a
// representative of each kind and checks what must always hold.
func TestJudgeEverySet(t *testing.T) {
	words := []string{"up", "suspect@-9/-1", "out@-2", "out@-4", "out@-60", "probation@-3", "pinned@-3", "new", "up@-9/-7"}
	kinds := make([]Snapshot, len(words))
	for i, w := range words {
		kinds[i] = standing(t, w)
	}
	sets := 0
	for n := 1; n <= 4; n++ {
		total := 1
		for range n {
			total *= len(kinds)
		}
		for code := range total {
			servers, names := make([]Snapshot, n), make([]string, n)
			for i, rest := 0, code; i < n; i, rest = i+1, rest/len(kinds) {
				servers[i], names[i] = kinds[rest%len(kinds)], words[rest%len(kinds)]
			}
			for _, limit := range []int{-1, 0, 1, 2} {
				sets++
				if problem := checkView(noon, servers, limit); problem != "" {
					t.Fatalf("%v, cap %d: %s", names, limit, problem)
				}
			}
		}
	}
	if sets < 25_000 {
		t.Errorf("only %d sets", sets)
	}
}

// checkView returns the rule that the view of servers breaks.
func checkView(now time.Time, servers []Snapshot, limit int) string {
	v := Judge(now, servers, limit)
	usable, served, moved, allowed := 0, 0, 0, limit
	if limit == 0 {
		allowed = max(1, len(servers)/3)
	}
	for i := range servers {
		s := &servers[i]
		if s.State.Usable() {
			usable++
		}
		switch v.Routes[i] {
		case Serve:
			served++
			if !s.State.Usable() && (s.Pinned || neverServed(s)) {
				return "serves though an operator took it out, or before its first reply"
			}
		case Move:
			if s.State.Usable() {
				return "keys of a usable server move"
			}
			if !neverServed(s) {
				moved++
			}
		case FailFast:
			if s.State.Usable() {
				return "keys of a usable server fail"
			}
		}
	}
	switch {
	case allowed >= 0 && moved > allowed:
		return "more servers moved than the cap allows"
	case moved != v.Moved:
		return "wrong count of moved servers"
	case usable > 0 && served != usable:
		return "a server that is out serves although there are others"
	case usable == 0 && served > 1:
		return "more than one last server"
	case served == 0 && moved > 0:
		return "keys move to nowhere"
	case v.Forgive != (usable == 0):
		return "forgives at the wrong time"
	case v.LocalFault && len(servers) < 2:
		return "one server lost is no local fault"
	case !v.Until.IsZero() && !v.Until.After(now):
		return "is out of date at once"
	}
	return ""
}
