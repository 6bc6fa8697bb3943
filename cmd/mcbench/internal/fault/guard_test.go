package fault

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringbeat/ringbeat/cmd/mcbench/internal/inspect"
)

// crashWith is set in the process that TestDyingHealsTheServer starts.
const crashWith = "MCBENCH_TEST_STOP_PID"

// A mcbench that is killed while its victim is stopped must leave the victim running.
func TestDyingHealsTheServer(t *testing.T) {
	if pid := os.Getenv(crashWith); pid != "" {
		breakAndHang(t, pid)
		return
	}
	addr, pid := startMemcached(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run", "^TestDyingHealsTheServer$")
	cmd.Env = append(os.Environ(), crashWith+"="+strconv.Itoa(pid))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "broken") {
	}
	if _, err := inspect.Version(addr, 300*time.Millisecond); err == nil {
		t.Fatal("the server was not stopped: the test proves nothing")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if _, err := inspect.Version(addr, 10*time.Second); err != nil {
		t.Errorf("the server is still stopped: %v", err)
	}
}

func breakAndHang(t *testing.T, text string) {
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Process(pid, Spec{Kind: Hang})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Break(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("broken")
	time.Sleep(time.Minute) // to be killed long before
}
