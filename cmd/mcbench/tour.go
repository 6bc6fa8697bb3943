package main

import "fmt"

// tour is mcbench without arguments: an outage among servers of its own. It never loads
// servers that it merely finds in the environment.
func (a *app) tour() error {
	if servers := a.getenv("MEMCACHED_SERVERS"); servers != "" {
		fmt.Fprintf(a.stdout, "MEMCACHED_SERVERS names your servers; mcbench loads them only if you say so:\n\n"+
			"  mcbench run -s %s -r 1k -d 10s\n\nThe tour with servers of its own: MEMCACHED_SERVERS= mcbench\n", servers)
		return nil
	}
	fmt.Fprint(a.stderr, "mcbench: a tour of 12 seconds. Three memcached of weights 2:1:1 live in this process;\n"+
		"two clients make 2,000 requests/s each. At 4 s the largest server goes dark, at 8 s it\n"+
		"is back. Nothing is written to disk. (mcbench --help shows what else there is.)\n\n")
	return a.command([]string{"failover"})
}
