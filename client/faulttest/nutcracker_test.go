package faulttest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startNutcracker runs nutcracker before the servers, each as its configuration
// wants it, until the test ends, and returns where it listens. It reports false
// where the program is missing.
func startNutcracker(t *testing.T, servers ...string) (addr string, ok bool) {
	t.Helper()
	path, err := exec.LookPath("nutcracker")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nutcracker") // not every PATH has it
	}
	if err != nil {
		return "", false
	}
	dir := t.TempDir()
	addr = freeAddr(t)
	_, stats, _ := net.SplitHostPort(freeAddr(t))
	conf := filepath.Join(dir, "nutcracker.yml")
	if err := os.WriteFile(conf, []byte(nutcrackerConf(addr, servers)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf, "-o", filepath.Join(dir, "log"), "-p", filepath.Join(dir, "pid"), "-a", "127.0.0.1", "-s", stats)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return addr, true
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Fatalf("nutcracker does not start: %s", log)
	return "", false
}

// nutcrackerConf ejects servers, after as many failures and for as long as
// nutcracker's documentation gives for defaults; its timeout is the one of the
// documentation's examples, for its default is to wait for ever.
func nutcrackerConf(addr string, servers []string) string {
	return fmt.Sprintf(`pool:
  listen: %s
  distribution: ketama
  auto_eject_hosts: true
  server_failure_limit: 2
  server_retry_timeout: 30000
  timeout: 400
  servers:
   - %s
`, addr, strings.Join(servers, "\n   - "))
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
