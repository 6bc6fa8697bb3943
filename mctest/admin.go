package mctest

import "fmt"

// admin carries out the commands that are about the server and not about a key.
func (c *conn) admin(w [][]byte) verdict {
	switch string(w[0]) {
	case "version":
		c.count(cmdVersion)
		return c.answer(false, "VERSION "+c.s.cfg.Version)
	case "stats":
		c.count(cmdStats)
		return c.stats(w)
	case "flush_all":
		c.count(cmdFlushAll)
		return c.flushAll(w)
	case "verbosity":
		c.count(cmdVerbosity)
		return c.verbosity(w)
	case "quit":
		c.count(cmdQuit)
		return hangUp
	case "config":
		if n := c.s.cluster.Load(); n != nil && len(w) == 3 && string(w[1]) == "get" && string(w[2]) == "cluster" {
			c.count(cmdOther)
			c.out = fmt.Appendf(c.out, "CONFIG cluster 0 %d\r\n%s\r\nEND\r\n", len(*n), *n)
			return goOn
		}
	case "shutdown":
		return c.other("ERROR: shutdown not enabled")
	}
	return c.unknown(w)
}

// unknown answers ERROR. Like memcached it hangs up on something that looks like
// HTTP, unless the method begins with a letter that commands begin with.
func (c *conn) unknown(w [][]byte) verdict {
	last := string(w[len(w)-1])
	switch w[0][0] {
	case 'g', 's', 'a', 'c', 'i', 'd', 't':
	default:
		if len(last) >= 5 && last[:5] == "HTTP/" {
			c.count(cmdOther)
			return hangUp
		}
	}
	return c.other("ERROR")
}

func (c *conn) flushAll(w [][]byte) verdict {
	if len(w) > 3 {
		return c.answer(false, "ERROR")
	}
	quiet := noReply(w)
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	st.n.flushes++
	var delay int32
	if len(w) == 3 || len(w) == 2 && !quiet {
		var ok bool
		if delay, ok = parseInt32(w[1]); !ok {
			return c.answer(quiet, "CLIENT_ERROR invalid exptime argument")
		}
	}
	st.flush(delay, c.now)
	return c.answer(quiet, "OK")
}

// verbosity does nothing: there is no log.
func (c *conn) verbosity(w [][]byte) verdict {
	if len(w) != 2 && len(w) != 3 {
		return c.answer(false, "ERROR")
	}
	quiet := noReply(w)
	if _, ok := parseUint32(w[1]); !ok {
		return c.answer(quiet, badFormat)
	}
	return c.answer(quiet, "OK")
}

// SetCluster makes "config get cluster" answer with config, as ElastiCache and
// Memorystore do: a version line, then "host|ip|port host|ip|port" and a newline.
// "" takes the command away again; it is unknown at first.
func (s *Server) SetCluster(config string) {
	if config == "" {
		s.cluster.Store(nil)
		return
	}
	s.cluster.Store(&config)
}
