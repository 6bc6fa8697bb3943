package ring

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseServers(t *testing.T) {
	tests := map[string][]Server{
		"10.0.0.1:11211=2,cache2@10.0.0.2:11211,unix:/run/mc.sock": {
			{"10.0.0.1:11211", "10.0.0.1:11211", 2},
			{"cache2", "10.0.0.2:11211", 1},
			{"unix:/run/mc.sock", "unix:/run/mc.sock", 1},
		},
		" a , b=3 ,\tc:22122 ": {
			{"a:11211", "a:11211", 1}, {"b:11211", "b:11211", 3}, {"c:22122", "c:22122", 1},
		},
		"[fd00::1]:11212, six@[fd00::2]=4": {
			{"[fd00::1]:11212", "[fd00::1]:11212", 1}, {"six", "[fd00::2]:11211", 4},
		},
		"/run/mc.sock=0, unix:@abstract, n@unix:@abstract": {
			{"unix:/run/mc.sock", "unix:/run/mc.sock", 1},
			{"unix:@abstract", "unix:@abstract", 1},
			{"n", "unix:@abstract", 1},
		},
		"cache-a/10.0.0.1:11211@10.0.0.1": {{"cache-a/10.0.0.1:11211", "10.0.0.1:11211", 1}},
	}
	for text, want := range tests {
		got, err := ParseServers(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseServersNamesEveryProblemAtOnce(t *testing.T) {
	text := "a=-1, a, a:0, b=x, fd00::1, [10.0.0.1], , c=1048577, @d, e@, two words, x y@f, g:+1, h:65536, [::1, unix:, c/d"
	_, err := ParseServers(text)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []error{ErrBadWeight, ErrDuplicate, ErrBadAddr, ErrBadName} {
		if !errors.Is(err, want) {
			t.Errorf("%v is not reported", want)
		}
	}
	for _, place := range strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17") {
		if !strings.Contains(err.Error(), "server "+place+": ") {
			t.Errorf("server %s is not reported in:\n%v", place, err)
		}
	}
	for _, empty := range []string{"", "  "} {
		if _, err := ParseServers(empty); !errors.Is(err, ErrNoServers) {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func TestNewNamesEveryProblemAtOnce(t *testing.T) {
	_, err := New("ketema",
		Server{Name: "a b", Addr: "a"}, Server{Name: strings.Repeat("x", 256), Addr: "a"}, Server{Name: "\xff", Addr: "a"},
		Server{Name: "a/b"}, Server{}, Server{Addr: "c", Weight: -1}, Server{Addr: "d", Weight: 1 << 40}, Server{Addr: "d"})
	for _, want := range []error{ErrUnknownLayout, ErrBadName, ErrBadAddr, ErrBadWeight, ErrDuplicate} {
		if !errors.Is(err, want) {
			t.Errorf("%v is not reported in: %v", want, err)
		}
	}
	for _, place := range strings.Fields("1 2 3 4 5 6 7 8") {
		if !strings.Contains(err.Error(), "server "+place+": ") {
			t.Errorf("server %s is not reported in:\n%v", place, err)
		}
	}
	if _, err := New("ketema"); !errors.Is(err, ErrUnknownLayout) || !errors.Is(err, ErrNoServers) {
		t.Errorf("got %v", err)
	}
	if _, err := New(Ketama, Server{Addr: "a", Weight: maxWeight}); !errors.Is(err, ErrBadWeight) {
		t.Errorf("a ring of %d points: %v", maxWeight*160, err)
	}
}
