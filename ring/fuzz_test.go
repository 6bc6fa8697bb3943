package ring

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// FuzzParseServers: whatever is accepted can be written down and read back, and
// makes a ring; whatever is refused is refused for a reason that has a name.
func FuzzParseServers(f *testing.F) {
	for _, seed := range []string{
		"10.0.0.1:11211=2,cache2@10.0.0.2:11211,unix:/run/mc.sock",
		" a , b=3 ,\tc:22122 ", "[fd00::1]:11212,six@[fd00::2%eth0]=4", "/run/mc.sock=0,n@unix:@abstract",
		"a=-1,a,a:0,b=x,fd00::1,[10.0.0.1],,c=1048577,@d,e@,two words,g:+1,h:65536,[::1,unix:,c/d",
		"", ",", "=", "@", "a=b@h=2", "unix:/a=b=2", "x@y@z", strings.Repeat("n", 256) + "@h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		servers, err := ParseServers(text)
		if err != nil {
			if !isNamed(err) || len(servers) != 0 {
				t.Fatalf("%q: %v, %v", text, servers, err)
			}
			return
		}
		written := make([]string, len(servers))
		for i, s := range servers {
			if s.Name == "" || s.Addr == "" || s.Weight < 1 || strings.ContainsFunc(s.Name+s.Addr, isBlank) {
				t.Fatalf("%q: accepted %+v", text, s)
			}
			written[i] = fmt.Sprintf("%s=%d", s.Addr, s.Weight)
			if s.Name != s.Addr {
				written[i] = s.Name + "@" + written[i]
			}
		}
		again, err := ParseServers(strings.Join(written, ", "))
		if err != nil || !slices.Equal(again, servers) {
			t.Fatalf("%q: %+v was read back as %+v, %v", text, servers, again, err)
		}
		r, err := New(ModCRC32, servers...)
		if err != nil || !slices.Equal(r.Servers(), servers) {
			t.Fatalf("%q: no ring: %v", text, err)
		}
	})
}

func isNamed(err error) bool {
	return slices.ContainsFunc(
		[]error{ErrNoServers, ErrDuplicate, ErrBadName, ErrBadAddr, ErrBadWeight, ErrUnknownServer, ErrUnknownLayout},
		func(named error) bool { return errors.Is(err, named) })
}

// FuzzEdits reads its input as a layout and a list of edits, some of them
// nonsense, and compares the ring with a fresh one of the same list and view.
func FuzzEdits(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 2, 2, 3, 0, 4, 1})
	f.Add([]byte{7, 0, 1, 0, 2, 0, 3, 0, 4, 1, 1, 3, 2, 4, 3, 2, 0, 1, 200})
	f.Add([]byte{16, 0, 9, 0, 8, 4, 9, 3, 8, 5, 1, 6, 7})
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) == 0 || len(input) > 64 {
			return
		}
		layout := Layouts()[int(input[0])%len(Layouts())]
		e := edits{ring: mustNew(t, layout, Server{Addr: "first"}), list: []Server{{"first:11211", "first:11211", 1}}}
		for ops := input[1:]; len(ops) >= 2; ops = ops[2:] {
			e.apply(t, ops[0], ops[1])
		}
		want := mustNew(t, layout, e.list...).Without(e.out...)
		same(t, e.ring, want)
		if got := e.ring.Servers(); !slices.Equal(got, want.Servers()) {
			t.Fatalf("servers %v, want %v", got, want.Servers())
		}
		for i := range 20 {
			key := keyNumber("key", i)
			a, okA := e.ring.Pick(key)
			b, okB := want.Pick(key)
			if a != b || okA != okB {
				t.Fatalf("%s: %v and %v", key, a, b)
			}
		}
	})
}

type edits struct {
	ring *Ring
	list []Server
	out  []string
}

// apply does one edit to the ring and to the list, and expects an error where
// the list says that there must be one.
func (e *edits) apply(t *testing.T, op, arg byte) {
	t.Helper()
	s := Server{Name: fmt.Sprintf("s%d", arg%16), Addr: "h:1", Weight: 1 + int(op>>4)%3}
	at := slices.IndexFunc(e.list, func(known Server) bool { return known.Name == s.Name })
	var next *Ring
	var err error
	refuse := at < 0
	list := slices.Clone(e.list)
	switch op % 6 {
	case 0, 1:
		refuse = at >= 0
		next, err = e.ring.Add(s)
		list = append(list, s)
	case 2:
		refuse = at < 0 || len(list) == 1
		next, err = e.ring.Remove(s.Name)
		if !refuse {
			list = slices.Delete(list, at, at+1)
		}
	case 3:
		next, err = e.ring.Replace(s.Name, Server{Addr: "other:2"})
		if !refuse {
			list[at].Addr = "other:2"
		}
	case 4:
		renamed := Server{Name: fmt.Sprintf("s%d", arg>>4), Addr: "h:1", Weight: s.Weight}
		clash := slices.IndexFunc(list, func(known Server) bool { return known.Name == renamed.Name })
		refuse = at < 0 || clash >= 0 && clash != at
		next, err = e.ring.Replace(s.Name, renamed)
		if !refuse {
			list[at] = renamed
		}
	case 5:
		refuse = false
		next = e.ring.Without(s.Name)
	}
	if refuse != (err != nil) || refuse && (next != nil || !isNamed(err)) {
		t.Fatalf("edit %d with %d of %v: %v", op, arg, e.list, err)
	}
	if refuse {
		return
	}
	e.ring, e.list = next, list
	if op%6 == 5 && at >= 0 {
		e.out = append(e.out, s.Name)
	}
	e.forget()
}

// forget drops names from out that are no members any more: a server that comes
// back under its old name is a new one.
func (e *edits) forget() {
	e.out = slices.DeleteFunc(e.out, func(name string) bool {
		return !slices.ContainsFunc(e.list, func(s Server) bool { return s.Name == name })
	})
}
