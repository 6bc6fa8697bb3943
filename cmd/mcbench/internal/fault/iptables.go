package fault

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
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
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, fmt.Errorf("server %q: packet filter rules want an IP address and a port", addr)
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
		return &guarded{Breaker: &flapping{on: r.add, off: r.remove, half: f.Param}, script: r.undo()}, nil
	}
	return &guarded{Breaker: switches{r.add, r.remove}, script: r.undo()}, nil
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

// undo is remove as a script. Host and port have been parsed, so they need no quoting.
func (r rules) undo() string {
	var b strings.Builder
	for _, rule := range r.each() {
		fmt.Fprintf(&b, "while %s -w 5 -D %s 2>/dev/null; do :; done; ", r.path, strings.Join(rule, " "))
	}
	return b.String()
}

func (r rules) run(args []string) error {
	out, err := exec.Command(r.path, append([]string{"-w", "5"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", r.path, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
