package ring

import (
	"fmt"
	"strings"
)

// Layout names a rule that places keys on servers. The zero value "" means
// Ketama. Every other layout places each key where the clients named in
// docs/interop.md place it, given the same servers in the same order, with the
// same names and weights.
type Layout string

// The layouts. The modulo layouts ModCRC32 and ModJenkins ignore weights, as
// the clients do that they come from.
const (
	Ketama                 Layout = "ketama"                  // our own: fastest, least movement, order of no importance
	Libmemcached           Layout = "libmemcached"            // KETAMA_WEIGHTED, PHP OPT_LIBKETAMA_COMPATIBLE, twemproxy with hash: md5
	LibmemcachedConsistent Layout = "libmemcached-consistent" // DISTRIBUTION_CONSISTENT, PHP sessions, pylibmc "ketama"
	Libketama              Layout = "libketama"               // the C library
	Twemproxy              Layout = "twemproxy"               // distribution: ketama with its default hash: fnv1a_64
	Spymemcached           Layout = "spymemcached"            // Java, KetamaConnectionFactory
	SpymemcachedWeighted   Layout = "spymemcached-weighted"   // the same with a weight map, even one of equal weights
	Xmemcached             Layout = "xmemcached"              // Java, KetamaMemcachedSessionLocator
	Dalli                  Layout = "dalli"                   // Ruby
	Nginx                  Layout = "nginx"                   // hash ... consistent, Cache::Memcached::Fast with ketama_points 160
	NodeMemcached          Layout = "node-memcached"          // npm memcached
	NodeHashring           Layout = "node-hashring"           // npm hashring
	Uhashring              Layout = "uhashring"               // Python, hash_fn="ketama"
	ProxyKetama            Layout = "proxy-ketama"            // memcached's own proxy, ring_hash omode ketama, hash md5
	ProxyTwemproxy         Layout = "proxy-twemproxy"         // memcached's own proxy, ring_hash omode twemproxy, hash md5
	ModCRC32               Layout = "mod-crc32"               // gomemcache
	ModCRC15               Layout = "mod-crc15"               // nginx hash without consistent, Perl's Cache::Memcached and ::Fast
	ModJenkins             Layout = "mod-jenkins"             // libmemcached's and PHP memcached's default
)

// Layouts returns every layout, the default first.
func Layouts() []Layout {
	return []Layout{
		Ketama, Libmemcached, LibmemcachedConsistent, Libketama, Twemproxy,
		Spymemcached, SpymemcachedWeighted, Xmemcached, Dalli, Nginx,
		NodeMemcached, NodeHashring, Uhashring, ProxyKetama, ProxyTwemproxy,
		ModCRC32, ModCRC15, ModJenkins,
	}
}

// scheme is a layout taken apart into the few things in which rings differ.
type scheme struct {
	key      keyHash
	wide     bool   // points have 64 bits, not 32
	flip     uint64 // all ones mirror the circle, so that searches go downwards
	merges   bool   // a server's points depend on its name and weight alone
	tie      tieRule
	unique   bool // of points with equal hashes only the first in tie order exists
	perLabel int  // points that one label gives
	modulo   bool // no points: a label is a slot of the list that keys are spread over
	// labels says how many labels each server gets.
	labels func(servers []Server) []int
	// points appends the hashes of the first n labels of a name.
	points func(dst []uint64, name string, n int) []uint64
	// heavy replaces the two rules above as soon as one weight is above 1.
	heavy *scheme
	// digest is the hash that Go refuses to compute in FIPS 140-only mode.
	digest string
}

// scheme returns the parts of a layout.
func (l Layout) scheme() (scheme, error) {
	switch l {
	case "", Ketama:
		return scheme{
			key: keyXX, wide: true, merges: true, tie: tieName, perLabel: 1,
			labels: perWeight(160), points: labelled(whole, "-", pointXX),
		}, nil
	case Libmemcached:
		return md5Ring(libmemcachedName, shareFloat32, tieFirst), nil
	case LibmemcachedConsistent:
		heavy := md5Ring(libmemcachedName, shareFloat32, tieFirst)
		return scheme{
			key: keyJenkins, tie: tieFirst, perLabel: 1, digest: heavy.digest,
			labels: perServer(100), points: labelled(libmemcachedName, "-", pointJenkins), heavy: &heavy,
		}, nil
	case Libketama:
		return md5Ring(whole, shareMixed, tieFirst), nil
	case Twemproxy:
		sc := md5Ring(twemproxyName, shareFloat32, tieFirst)
		sc.key = keyFNV1a
		return sc, nil
	case Spymemcached:
		sc, heavy := treeRing(perServer(40)), treeRing(shareFloat32)
		sc.heavy = &heavy
		return sc, nil
	case SpymemcachedWeighted:
		return treeRing(shareFloat32), nil
	case Xmemcached:
		return md5Ring(xmemcachedName, perWeight(40), tieModulo), nil
	case Dalli:
		return scheme{
			key: keyCRC32, flip: highHalf, tie: tieLast, perLabel: 1, digest: "SHA-1",
			labels: shareDalli, points: labelled(withoutBrackets, ":", pointSHA1),
		}, nil
	case Nginx:
		// nginx itself drops all but the first of equal points; that is the same
		// placement as long as every server is up.
		return scheme{key: keyCRC32, tie: tieFirst, perLabel: 1, labels: perWeight(160), points: chainCRC32}, nil
	case NodeMemcached:
		return md5Ring(libmemcachedName, shareFloat64, tieFirst), nil
	case NodeHashring:
		return md5Ring(whole, shareFloat64, tieFirst), nil
	case Uhashring:
		return treeRing(shareInteger), nil
	case ProxyKetama:
		return md5Ring(withoutBrackets, perServer(40), tieFirst), nil
	case ProxyTwemproxy:
		return md5Ring(libmemcachedName, perServer(40), tieFirst), nil
	case ModCRC32:
		return scheme{key: keyCRC32, modulo: true, perLabel: 1, labels: perServer(1)}, nil
	case ModCRC15:
		return scheme{key: keyCRC15, modulo: true, perLabel: 1, labels: perWeight(1)}, nil
	case ModJenkins:
		return scheme{key: keyJenkins, modulo: true, perLabel: 1, labels: perServer(1)}, nil
	}
	return scheme{}, unknownLayout(l)
}

// md5Ring is the shape that most descendants of libketama share.
func md5Ring(prefix func(string) string, labels func([]Server) []int, tie tieRule) scheme {
	return scheme{
		key: keyMD5, tie: tie, perLabel: 4, digest: "MD5",
		labels: labels, points: labelled(prefix, "-", pointsMD5),
	}
}

// treeRing is an md5Ring kept in a map, where a later point replaces an equal
// earlier one.
func treeRing(labels func([]Server) []int) scheme {
	sc := md5Ring(whole, labels, tieLast)
	sc.unique = true
	return sc
}

func unknownLayout(l Layout) error {
	known := make([]string, 0, 32)
	for _, name := range Layouts() {
		known = append(known, string(name))
	}
	return fmt.Errorf("%w: %.60q is none of %s", ErrUnknownLayout, string(l), strings.Join(known, ", "))
}

// checkDigest refuses, with an error and not with the panic that would follow,
// layouts whose hash the process may not compute.
func (sc *scheme) checkDigest(enforced bool) error {
	if enforced && sc.digest != "" {
		return fmt.Errorf("%w here: %s is not available in FIPS 140-only mode", ErrUnknownLayout, sc.digest)
	}
	return nil
}

// forWeights returns the scheme whose labels and points rules apply to servers.
func (sc *scheme) forWeights(servers []Server) *scheme {
	if sc.heavy != nil {
		for _, s := range servers {
			if s.Weight > 1 {
				return sc.heavy
			}
		}
	}
	return sc
}

// highHalf covers the bits that 32-bit hashes occupy on the circle.
const highHalf = 0xffffffff << 32

// place moves a hash to where the circle keeps it, value moves it back.
func (sc *scheme) place(hash uint64) uint64 {
	if !sc.wide {
		hash <<= 32
	}
	return hash ^ sc.flip
}

func (sc *scheme) value(placed uint64) uint64 {
	placed ^= sc.flip
	if !sc.wide {
		placed >>= 32
	}
	return placed
}

// appendPoints appends the points of one server.
func (sc *scheme) appendPoints(dst []point, name string, owner uint32, labels int) []point {
	for _, hash := range sc.points(make([]uint64, 0, labels*sc.perLabel), name, labels) {
		dst = append(dst, newPoint(sc.place(hash), owner))
	}
	return dst
}
