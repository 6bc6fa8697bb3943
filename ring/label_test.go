package ring

import "testing"

func TestNamesAsOtherClientsSpellThem(t *testing.T) {
	tests := []struct{ name, libmemcached, twemproxy, xmemcached, brackets string }{
		{"10.0.0.1:11211", "10.0.0.1", "10.0.0.1", "/10.0.0.1:11211", "10.0.0.1:11211"},
		{"10.0.0.1:11212", "10.0.0.1:11212", "10.0.0.1:11212", "/10.0.0.1:11212", "10.0.0.1:11212"},
		{"[fd00::1]:11211", "fd00::1", "fd00::1", "/[fd00::1]:11211", "fd00::1:11211"},
		{"[fd00::1]:22122", "fd00::1:22122", "fd00::1:22122", "/[fd00::1]:22122", "fd00::1:22122"},
		{"cache-a", "cache-a", "cache-a", "/cache-a", "cache-a"},
		{"cache-a:x1", "cache-a:x1", "cache-a:x1", "/cache-a:x1", "cache-a:x1"},
		{"fd00::1", "fd00::1", "fd00::1", "/fd00::1", "fd00::1"},
		{"fd00::11211", "fd00::11211", "fd00::11211", "/fd00::11211", "fd00::11211"},
		{"[fd00::1", "[fd00::1", "[fd00::1", "/[fd00::1", "[fd00::1"},
		{"a/10.0.0.1:11211", "a/10.0.0.1", "a/10.0.0.1", "a/10.0.0.1:11211", "a/10.0.0.1:11211"},
		{"unix:/run/mc.sock", "/run/mc.sock:0", "/run/mc.sock:", "unix:/run/mc.sock", "/run/mc.sock"},
		{"a:", "a:", "a:", "/a:", "a:"},
	}
	for _, test := range tests {
		check := func(rule string, got, want string) {
			if got != want {
				t.Errorf("%s of %q: got %q, want %q", rule, test.name, got, want)
			}
		}
		check("libmemcachedName", libmemcachedName(test.name), test.libmemcached)
		check("twemproxyName", twemproxyName(test.name), test.twemproxy)
		check("xmemcachedName", xmemcachedName(test.name), test.xmemcached)
		check("withoutBrackets", withoutBrackets(test.name), test.brackets)
		check("whole", whole(test.name), test.name)
	}
}

// TestSocketsAsLibmemcachedPlacesThem holds what libmemcached 1.1.4 answered
// for two unix sockets with KETAMA_WEIGHTED and the keys key0 to key59.
func TestSocketsAsLibmemcachedPlacesThem(t *testing.T) {
	const want = "100010010001100100011001001011101000100110101010010100000110"
	r := mustNew(t, Libmemcached, Server{Addr: "/run/a.sock"}, Server{Addr: "unix:/run/b.sock"})
	for i := range len(want) {
		key := keyNumber("key", i)
		if got := mustPick(t, r, key) == "unix:/run/b.sock"; got != (want[i] == '1') {
			t.Errorf("%s is on the wrong socket", key)
		}
	}
}

func TestNginxSplitsHostAndPort(t *testing.T) {
	colon := chainCRC32(nil, "cache:11211", 3)
	for name, same := range map[string]bool{"cache\x0011211": true, "cache": false, "[fd00::1]:11211": false} {
		// A name that holds the zero byte itself is what the split must amount to.
		got := chainFrom([]byte(name), 3)
		if (got[2] == colon[2]) != same {
			t.Errorf("%q: points %v and %v", name, got, colon)
		}
	}
	if a, b := chainCRC32(nil, "unix:/run/a:1", 2), chainFrom([]byte("/run/a:1\x00"), 2); a[1] != b[1] {
		t.Errorf("socket: got %v, want %v", a, b)
	}
	if a, b := chainCRC32(nil, "alias", 2), chainFrom([]byte("alias\x00"), 2); a[1] != b[1] {
		t.Errorf("alias: got %v, want %v", a, b)
	}
}

// chainFrom is the chain in its plainest form.
func chainFrom(text []byte, n int) []uint64 {
	var points []uint64
	var last uint32
	for range n {
		all := append([]byte(nil), text...)
		all = append(all, byte(last), byte(last>>8), byte(last>>16), byte(last>>24))
		last = hashCRC32(string(all))
		points = append(points, uint64(last))
	}
	return points
}
