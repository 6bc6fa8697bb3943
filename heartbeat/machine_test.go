package heartbeat

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var (
	noon    = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	errTest = errors.New("test")
)

// column is a state of the table: a name and how the machine got there.
type column struct {
	name string
	machine
}

// columns are the states with all that makes a difference within them.
func columns() []column {
	usual := plan{timeout: 250 * ms}
	stats := plan{timeout: 250 * ms, stats: true}
	healthy := machine{state: Healthy, next: usual, asked: true, answered: noon.Add(-time.Second), renewed: noon}
	suspect := healthy
	suspect.state = Suspect
	out := machine{
		state: Ejected, next: usual, asked: true, ejectedAt: noon.Add(-5 * time.Second),
		holdUntil: noon.Add(-5 * time.Second), backoff: time.Second, round: 1,
	}
	with := func(m machine, change func(*machine)) machine { change(&m); return m }
	return []column{
		{"healthy", healthy},
		{"doubted", with(healthy, func(m *machine) { m.fails, m.freshFail = 1, true })},
		{"suspect", with(suspect, func(m *machine) { m.fails = 1 })},
		{"suspect twice", with(suspect, func(m *machine) { m.fails, m.freshFail = 2, true })},
		{"ejected", out},
		{"rising", with(out, func(m *machine) { m.goods = 1 })},
		{"held down", with(out, func(m *machine) { m.goods, m.holdUntil = 2, noon.Add(10*time.Second) })},
		{"pinned", with(out, func(m *machine) { m.pinned, m.goods = true, 1 })},
		{"probation", with(out, func(m *machine) { m.state, m.goods, m.next = Probation, 2, stats })},
		{"replaying", with(out, func(m *machine) { m.state, m.goods, m.replaying = Probation, 2, true })},
	}
}

// against returns a tally of n timeouts just now, on as many connections.
func against(n int) (t tally) {
	for i := range n {
		t.add(Evidence{Kind: Timeout, Conn: uint64(i)}, noon)
	}
	return t
}

// The table. One row for each event, one cell for each column, in order.
// A cell is the new state's letter, the next probe, and what else happens:
// "1s" is a probe in a second on the connection there is, "f" one on a fresh
// connection, "F" the same while the old one is kept, "s" one for stats, "=" what
// was planned before. "+" calls Config.Readmit, "!" cancels it, and ":" is
// followed by the reason of a transition.
var table = []struct {
	name  string
	event event
	cells [10]string
}{
	{"good", event{kind: good}, [...]string{
		"H 1s", "H 1s", "H 1s :answered", "H 1s :answered",
		"E f100ms", "P s0s :replies again", "E 1s", "E 1s", "P s0s", "P 1s",
	}},
	{"good on a fresh connection", event{kind: good, fresh: true}, [...]string{
		"H 1s", "H 1s", "H 1s :answered", "H 1s :answered",
		"E f100ms", "P s0s :replies again", "E 1s", "E 1s", "P s0s", "P 1s",
	}},
	{"failed", event{kind: failed}, [...]string{
		"S f100ms :probe failed", "S f100ms :probe failed", "S f100ms", "E f500ms :probes failed",
		"E f1s", "E f1s", "E f1s", "E f1s", "E f1s :probe failed", "E f1s ! :probe failed",
	}},
	{"failed on a fresh connection", event{kind: failed, fresh: true}, [...]string{
		"S f100ms :probe failed", "S f100ms :probe failed", "S f100ms", "E f500ms :probes failed",
		"E f1s", "E f1s", "E f1s", "E f1s", "E f1s :probe failed", "E f1s ! :probe failed",
	}},
	{"failed with the old connection left", event{kind: failed, fresh: true, second: true}, [...]string{
		"H 0s", "H 0s", "S 0s", "E f500ms :probes failed",
		"E f1s", "E f1s", "E f1s", "E f1s", "E f1s :probe failed", "E f1s ! :probe failed",
	}},
	{"timed out", event{kind: timedOut, fresh: true, late: 20 * ms}, [...]string{
		"S f100ms :probe failed", "S f100ms :probe failed", "S f100ms", "E f500ms :probes failed",
		"E f1s", "E f1s", "E f1s", "E f1s", "E f1s :probe failed", "E f1s ! :probe failed",
	}},
	{"timed out, seen late", event{kind: timedOut, fresh: true, late: 20*ms + 1}, [...]string{
		"H F0s", "H F0s", "S f0s", "S f0s", "E f0s", "E f0s", "E f0s", "E f0s", "P fs0s", "P f0s",
	}},
	{"timed out, but replied", event{kind: timedOut, fresh: true, replied: true}, [...]string{
		"H F0s", "H F0s", "S f0s", "S f0s", "E f0s", "E f0s", "E f0s", "E f0s", "P fs0s", "P f0s",
	}},
	{"closed", event{kind: closed}, [...]string{
		"H F0s", "H F0s", "S f0s", "S f0s", "E f0s", "E f0s", "E f0s", "E f0s", "P fs0s", "P f0s",
	}},
	{"our fault", event{kind: ourFault, fresh: true}, [...]string{
		"H F100ms", "H F100ms", "S f100ms", "S f100ms",
		"E f1s", "E f1s", "E f1s", "E f1s", "P fs100ms", "P f100ms",
	}},
	{"our fault with the old connection left", event{kind: ourFault, fresh: true, second: true}, [...]string{
		"H 0s", "H 0s", "S 0s", "S 0s", "E 0s", "E 0s", "E 0s", "E 0s", "P 0s", "P 0s",
	}},
	{"cut", event{kind: cut}, [...]string{
		"H F0s", "H F0s", "S f0s", "S f0s", "E f0s", "E f0s", "E f0s", "E f0s", "P fs0s", "P f0s",
	}},
	{"identified", event{kind: identified}, [...]string{
		"H 1s", "H 1s", "H 1s :answered", "H 1s :answered",
		"E f100ms", "P s0s :replies again", "E 1s", "E 1s", "P 1s +", "P 1s",
	}},
	{"nothing reported", event{kind: reported}, [...]string{
		"H =", "H =", "S =", "S =", "E =", "E =", "E =", "E =", "P =", "P =",
	}},
	{"one timeout reported", event{kind: reported, tally: against(1)}, [...]string{
		"H F0s", "H F0s", "S f0s", "S f0s", "E =", "E =", "E =", "E =", "P =", "P =",
	}},
	{"three timeouts reported", event{kind: reported, tally: against(3)}, [...]string{
		"S F0s :requests failed", "E f500ms :probe and requests failed", "S f0s", "E f500ms :probe and requests failed",
		"E =", "E =", "E =", "E =", "P =", "P =",
	}},
	{"success reported", event{kind: reported, tally: tally{success: noon}}, [...]string{
		"H =", "H =", "S =", "S =", "E =", "E =", "E =", "E =", "P =", "P =",
	}},
	{"readmitted", event{kind: readmitted}, [...]string{
		"H =", "H =", "S =", "S =", "E =", "E =", "E =", "E =", "P =", "H F1s :readmitted",
	}},
	{"not readmitted", event{kind: readmitted, err: errTest}, [...]string{
		"H =", "H =", "S =", "S =", "E =", "E =", "E =", "E =", "P =", "E f1s :readmission failed",
	}},
	{"operator ejects", event{kind: toEject}, [...]string{
		"E = :ejected by operator", "E = :ejected by operator", "E = :ejected by operator", "E = :ejected by operator",
		"E =", "E =", "E =", "E =", "E 400ms :ejected by operator", "E = ! :ejected by operator",
	}},
	{"operator drains", event{kind: toDrain}, [...]string{
		"E = :drained by operator", "E = :drained by operator", "E = :drained by operator", "E = :drained by operator",
		"E =", "E =", "E =", "E =", "E 400ms :drained by operator", "E = ! :drained by operator",
	}},
	{"operator resumes", event{kind: toResume}, [...]string{
		"H =", "H =", "S =", "S =", "E f0s", "E f0s", "E f0s", "E f0s", "P =", "P =",
	}},
	{"forgiven", event{kind: toForgive}, [...]string{
		"H =", "H =", "S =", "S =", "E =", "E =", "E 0s", "E =", "P =", "P =",
	}},
}

// cell describes a step in the table's notation.
func cell(e event, before, after machine, o orders) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s ", strings.ToUpper(after.state.String()[:1]))
	if n := after.next; e.kind >= reported && n == before.next {
		b.WriteString("=")
	} else {
		for _, f := range []struct {
			set  bool
			sign string
		}{{n.fresh && !n.keep, "f"}, {n.fresh && n.keep, "F"}, {n.stats, "s"}} {
			if f.set {
				b.WriteString(f.sign)
			}
		}
		b.WriteString(n.at.Sub(noon).String())
	}
	for _, f := range []struct {
		set  bool
		sign string
	}{{o.replay, " +"}, {o.abandon, " !"}, {o.reason != "", " :" + string(o.reason)}} {
		if f.set {
			b.WriteString(f.sign)
		}
	}
	return b.String()
}

func TestEveryEventInEveryState(t *testing.T) {
	c := Config{}.filled()
	seen := make(map[eventKind]bool)
	for _, row := range table {
		seen[row.event.kind] = true
		for i, col := range columns() {
			before := col.machine
			e := row.event
			e.random, e.began = 0.5, noon.Add(-250*ms)
			before.next.at = noon // the probe that has just been sent
			if e.kind >= reported {
				before.next.at = noon.Add(400 * ms)
			}
			after, o := step(&c, before, e, noon)
			if got := cell(e, before, after, o); got != row.cells[i] {
				t.Errorf("%s, %s: %q, want %q", row.name, col.name, got, row.cells[i])
			}
			if (o.reason != "") != (after.state != before.state) {
				t.Errorf("%s, %s: %v -> %v with reason %q", row.name, col.name, before.state, after.state, o.reason)
			}
		}
	}
	if len(seen) != int(numEvents) {
		t.Errorf("the table has %d kinds of events of %d", len(seen), numEvents)
	}
}

// TestRandomWalksKeepTheRules feeds random events at random times and checks
// after each what must always hold.
func TestRandomWalksKeepTheRules(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := Config{Fall: 1 + r.IntN(4), Rise: 1 + r.IntN(3), Initial: []State{Healthy, Probation}[r.IntN(2)]}.filled()
		now := noon
		m := begin(&c, now)
		var sum tally
		for range 2000 {
			e := randomEvent(r, m, now, &sum)
			after, o := step(&c, m, e, now)
			again, _ := step(&c, m, e, now)
			if after != again {
				t.Fatalf("seed %d: step is not pure", seed)
			}
			checkStep(t, &c, m, after, e, o, now)
			if t.Failed() {
				t.Fatalf("seed %d: %+v\nin  %+v\nout %+v", seed, e, m, after)
			}
			m = after
			now = now.Add(time.Duration(r.Int64N(int64(time.Second))))
		}
	}
}

func randomEvent(r *rand.Rand, m machine, now time.Time, sum *tally) event {
	e := event{
		kind: eventKind(r.IntN(int(numEvents))), random: r.Float64(), began: now.Add(-250 * ms),
		fresh: r.IntN(3) > 0, late: time.Duration(r.IntN(40)) * ms, replied: r.IntN(10) == 0,
	}
	if e.kind > toEject && r.IntN(5) > 0 {
		e.kind = toResume // operators are rare, and let servers in again
	}
	e.second = e.fresh && r.IntN(3) == 0
	if r.IntN(3) == 0 {
		e.err = errTest
	}
	for range r.IntN(4) {
		sum.add(Evidence{Kind: Kind(r.IntN(5)), Conn: r.Uint64N(3)}, now.Add(-time.Duration(r.IntN(500))*ms))
	}
	e.tally = *sum
	return e
}

func checkStep(t *testing.T, c *Config, m, after machine, e event, o orders, now time.Time) {
	t.Helper()
	must := func(ok bool, rule string) {
		t.Helper()
		if !ok {
			t.Error(rule)
		}
	}
	must((o.reason != "") == (m.state != after.state), "a reason for each change of state and for nothing else")
	must(!after.pinned || after.state == Ejected, "who is pinned is ejected")
	must(!after.replaying || after.state == Probation, "replays belong to probation")
	must(!o.replay || after.replaying && !m.replaying, "one replay at a time")
	must(!o.abandon || m.replaying && !after.replaying, "only what runs is abandoned")
	must(after.next.timeout >= c.Timeout && after.next.timeout <= c.Timeout<<maxStretch, "timeouts within bounds")
	if e.kind < reported {
		must(!after.next.at.Before(now) || e.kind == cut, "the next probe is planned after each probe")
		must(after.next.at.Sub(now) <= c.MaxEjectedInterval*12/10, "the next probe is not far")
	}
	operator := e.kind == toEject || e.kind == toDrain
	switch {
	case m.state == after.state:
	case m.state.Usable() && after.state == Ejected:
		must(operator || m.freshFail || e.fresh && (e.kind == failed || e.kind == timedOut), "no ejection without a failed probe on a fresh connection")
		must(operator || o.reason == ReasonFallEvidence && after.speaksAgainst(now) || o.reason == ReasonFall && m.fails+1 >= c.Fall, "Fall failures, or evidence")
	case m.state.Usable():
		must(after.state.Usable(), "who serves goes to probation only by way of ejection")
	case m.state == Ejected:
		must(after.state == Probation, "the way back is probation")
		must(after.goods >= c.Rise && !now.Before(m.holdUntil) && (e.kind == good || e.kind == identified), "Rise replies and the hold-down over")
	case after.state == Healthy:
		must(m.replaying && e.kind == readmitted && e.err == nil, "healthy only after Readmit")
	}
}

func TestHoldDownDoublesAndIsForgotten(t *testing.T) {
	c := Config{}.filled()
	want := []time.Duration{0, 2, 4, 8, 16, 32, 60, 60}
	for n, seconds := range want {
		if got := holdDown(&c, n); got != seconds*time.Second {
			t.Errorf("ejection %d: hold-down %v, want %v", n+1, got, seconds*time.Second)
		}
	}
	if got := holdDown(&c, 1<<30); got != time.Minute {
		t.Errorf("hold-down of many ejections is %v", got)
	}
	c.HoldDown = -1
	if got := holdDown(&c, 3); got != 0 {
		t.Errorf("a negative HoldDown holds down for %v", got)
	}

	c = Config{}.filled()
	m := machine{state: Suspect, fails: 2, freshFail: true, round: 3}
	for _, tc := range []struct{ healthy, want time.Duration }{
		{2*time.Minute - 1, 8 * time.Second},
		{2 * time.Minute, 0},
	} {
		m.readmitted = noon.Add(-tc.healthy)
		after, _ := step(&c, m, event{kind: failed, fresh: true}, noon)
		if got := after.holdUntil.Sub(noon); got != tc.want {
			t.Errorf("hold-down after %v of health is %v, want %v", tc.healthy, got, tc.want)
		}
	}
}

func TestPatienceWithOurselvesEnds(t *testing.T) {
	c := Config{}.filled()
	m := machine{state: Healthy, asked: true, next: plan{timeout: c.Timeout}}
	late := event{kind: timedOut, fresh: true, late: time.Second}
	var timeouts []time.Duration
	for range 20 {
		timeouts = append(timeouts, m.next.timeout)
		if m.state == Ejected {
			break
		}
		m, _ = step(&c, m, late, noon)
	}
	want := fmt.Sprint([]time.Duration{250 * ms, 250 * ms, 500 * ms, time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second})
	if got := fmt.Sprint(timeouts); got != want || m.state != Ejected {
		t.Errorf("%v after timeouts of %s, want ejected after %s", m.state, got, want)
	}
	if m, _ = step(&c, m, event{kind: good}, noon); m.doubts != 0 {
		t.Error("a reply does not restore the patience")
	}
}

func TestBackoffDoubles(t *testing.T) {
	c := Config{}.filled()
	m := machine{state: Suspect, fails: 2, freshFail: true}
	for _, r := range []struct {
		random float64
		want   time.Duration
	}{{0.5, 500 * ms}, {0, 800 * ms}, {0.5, 2 * time.Second}, {1, 2400 * ms}, {0, 1600 * ms}} {
		m, _ = step(&c, m, event{kind: failed, fresh: true, random: r.random}, noon)
		if got := m.next.at.Sub(noon); got != r.want {
			t.Errorf("next probe in %v, want %v", got, r.want)
		}
	}
}

func TestConnectionLimitIsNoReasonToEject(t *testing.T) {
	c := Config{}.filled()
	m := machine{state: Suspect, fails: 2, freshFail: true}
	e := event{kind: timedOut, fresh: true, began: noon.Add(-250 * ms)}
	e.tally.add(Evidence{Kind: Success}, noon.Add(-100*ms))
	if after, _ := step(&c, m, e, noon); after.state != Suspect {
		t.Error("ejected although requests are answered")
	}
	stale := e
	stale.tally.success = e.began
	if after, _ := step(&c, m, stale, noon); after.state != Ejected {
		t.Error("not ejected, by a success older than the probe")
	}
	mixed := e
	mixed.tally.add(Evidence{Kind: Timeout, Conn: 1}, noon.Add(-900*ms))
	if after, _ := step(&c, m, mixed, noon); after.state != Ejected {
		t.Error("not ejected although a request timed out too")
	}
}

func TestWhoDoubtsItselfHasNoWitnesses(t *testing.T) {
	c := Config{}.filled()
	m := machine{state: Suspect, fails: 1, freshFail: true, asked: true}
	e := event{kind: reported, tally: against(3)}
	if after, _ := step(&c, m, e, noon); after.state != Ejected {
		t.Error("not ejected by evidence")
	}
	m.doubts = 1
	if after, _ := step(&c, m, e, noon); after.state != Suspect {
		t.Error("ejected by requests that were late themselves")
	}
	e = event{kind: timedOut, fresh: true, late: 10 * ms, tally: against(3)}
	if after, _ := step(&c, m, e, noon); after.state != Ejected {
		t.Error("not ejected although the doubts are over")
	}
}

func TestForgivenEjectionDoesNotCount(t *testing.T) {
	c := Config{}.filled()
	m := machine{state: Suspect, fails: 2, freshFail: true, round: 3, readmitted: noon.Add(-time.Second)}
	m, _ = step(&c, m, event{kind: failed, fresh: true}, noon)
	for range 3 {
		m, _ = step(&c, m, event{kind: toForgive}, noon)
	}
	if m.round != 3 || m.holdUntil.After(noon) {
		t.Errorf("after being forgiven: round %d, hold-down %v", m.round, m.holdUntil.Sub(noon))
	}

	m = machine{state: Healthy, round: 3}
	m, _ = step(&c, m, event{kind: toEject}, noon)
	m, _ = step(&c, m, event{kind: toForgive}, noon)
	if m.round != 3 {
		t.Errorf("an operator's ejection was forgiven: round %d", m.round)
	}

	c = Config{Initial: Probation}.filled()
	m, _ = step(&c, begin(&c, noon), event{kind: failed, fresh: true}, noon)
	m, _ = step(&c, m, event{kind: toForgive}, noon)
	if m.state != Ejected || m.round != 0 {
		t.Errorf("%v, round %d after forgiving a server that never served", m.state, m.round)
	}
}

func TestPromptedProbesKeepTheirDistance(t *testing.T) {
	c := Config{}.filled()
	m := machine{state: Healthy, asked: true, renewed: noon}
	m, _ = step(&c, m, event{kind: good, random: 0.5}, noon)
	var sum tally
	sum.add(Evidence{Kind: Timeout}, noon.Add(10*ms))
	m, _ = step(&c, m, event{kind: reported, tally: sum}, noon.Add(10*ms))
	if got := m.next.at.Sub(noon); got != 10*ms {
		t.Fatalf("first timeout: probe at %v, want 10ms", got)
	}
	m, _ = step(&c, m, event{kind: good, fresh: true, random: 0.5}, noon.Add(11*ms))
	sum.add(Evidence{Kind: Timeout}, noon.Add(50*ms))
	m, _ = step(&c, m, event{kind: reported, tally: sum}, noon.Add(50*ms))
	if got := m.next.at.Sub(noon); got != 110*ms {
		t.Errorf("second timeout: probe at %v, want 110ms", got)
	}
}

func TestStrongEvidenceWantsTheNextProbeFresh(t *testing.T) {
	c := Config{}.filled()
	for n, fresh := range map[int]bool{1: false, 3: true} {
		m := machine{state: Healthy, asked: true, next: plan{at: noon, timeout: c.Timeout}}
		m, _ = step(&c, m, event{kind: reported, tally: against(n)}, noon)
		if m.next.fresh != fresh || !m.next.at.Equal(noon) {
			t.Errorf("%d timeouts: %+v", n, m.next)
		}
	}
}
