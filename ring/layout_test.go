package ring

import (
	"errors"
	"testing"
)

func TestEveryLayoutIsKnownOnce(t *testing.T) {
	seen := map[Layout]bool{}
	for _, l := range Layouts() {
		if _, err := l.scheme(); err != nil || seen[l] {
			t.Errorf("%s: %v, seen %t", l, err, seen[l])
		}
		seen[l] = true
	}
	same(t, mustNew(t, "", fleet(4, 2)...), mustNew(t, Ketama, fleet(4, 2)...))
}

// TestForbiddenDigestIsAnError: without the check, New would panic in MD5.
func TestForbiddenDigestIsAnError(t *testing.T) {
	free := map[Layout]bool{Ketama: true, Nginx: true, ModCRC32: true, ModCRC15: true, ModJenkins: true}
	for _, l := range Layouts() {
		sc, err := l.scheme()
		if err != nil {
			t.Fatal(err)
		}
		if err := sc.checkDigest(false); err != nil {
			t.Errorf("%s: %v", l, err)
		}
		if err := sc.checkDigest(true); errors.Is(err, ErrUnknownLayout) == free[l] {
			t.Errorf("%s with FIPS 140-only: %v", l, err)
		}
	}
}
