package fault

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// comment marks our rules, so that a left-over one can be told from others.
const comment = "mcbench"

// IPTables makes a server's port a black hole by dropping its packets in both directions,
// as a dead host does. It needs root and rules on this machine's side of the connection.
func IPTables(addr string, f Spec) (Breaker, error) {
	if f.Kind != BlackHole && f.Kind != Flap {
		return nil, errors.New("the packet filter can only make a blackhole or flap")
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("packet filter rules need root")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", addr, err)
	}
	tool := "iptables"
	if strings.Contains(host, ":") {
		tool = "ip6tables"
	}
	path, err := exec.LookPath(tool)
	if err != nil {
		return nil, fmt.Errorf("%s is not installed", tool)
	}
	r := rules{path: path, host: host, port: port}
	if f.Kind == Flap {
		return &flapping{on: r.add, off: r.remove, half: f.Param}, nil
	}
	return switches{r.add, r.remove}, nil
}

type rules struct{ path, host, port string }

// each returns the two rules: what goes to the server and what comes from it.
func (r rules) each() [][]string {
	tail := []string{"-m", "comment", "--comment", comment, "-j", "DROP"}
	return [][]string{
		append([]string{"OUTPUT", "-p", "tcp", "-d", r.host, "--dport", r.port}, tail...),
		append([]string{"INPUT", "-p", "tcp", "-s", r.host, "--sport", r.port}, tail...),
	}
}

func (r rules) add() error {
	for _, rule := range r.each() {
		if err := r.run(append([]string{"-I"}, rule...)); err != nil {
			return errors.Join(err, r.remove())
		}
	}
	return nil
}

// remove takes away every copy of our rules; it is no error if there is none.
func (r rules) remove() error {
	const most = 16
	for _, rule := range r.each() {
		for range most {
			if r.run(append([]string{"-C"}, rule...)) != nil {
				break
			}
			if err := r.run(append([]string{"-D"}, rule...)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r rules) run(args []string) error {
	out, err := exec.Command(r.path, append([]string{"-w", "5"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", r.path, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
