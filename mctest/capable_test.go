package mctest_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/ringbeat/ringbeat/mctest"
)

// memcapable is libmemcached's own test of a server; Debian calls it memccapable.
func TestMemcapableFindsNothingWrong(t *testing.T) {
	path := findProgram(t, "memccapable", "memcapable")
	host, port, _ := net.SplitHostPort(mctest.Start(t).Addr())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-a", "-h", host, "-p", port).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "All tests passed") || strings.Count(string(out), "[pass]") < 27 {
		t.Fatalf("%v\n%s", err, out)
	}
}
