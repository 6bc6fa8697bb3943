package mctest

import (
	"bytes"
	"fmt"
)

// admin carries out the commands that are about the server and not about a key.
func (c *conn) admin(cmd command, w [][]byte) verdict {
	switch cmd {
	case cmdVersion:
		return c.answer(false, "VERSION "+c.s.cfg.Version)
	case cmdStats:
		return c.stats(w)
	case cmdFlushAll:
		return c.flushAll(w)
	case cmdVerbosity:
		return c.verbosity(w)
	case cmdQuit:
		return hangUp
	}
	panic("bug: command " + commandNames[cmd] + " is not carried out anywhere")
}

// unknown answers what is no command we count, with ERROR as a rule.
func (c *conn) unknown(w [][]byte) verdict {
	c.count(cmdOther)
	switch {
	case string(w[0]) == "config" && len(w) == 3 && string(w[1]) == "get" && string(w[2]) == "cluster":
		if n := c.s.cluster.Load(); n != nil {
			c.out = fmt.Appendf(c.out, "CONFIG cluster 0 %d\r\n%s\r\nEND\r\n", len(*n), *n)
			return goOn
		}
	case string(w[0]) == "shutdown":
		return c.answer(false, "ERROR: shutdown not enabled")
	case isHTTP(w):
		return hangUp
	}
	return c.answer(false, "ERROR")
}

// isHTTP recognises HTTP as memcached does: by the last word, unless the method
// begins with a letter that commands begin with.
func isHTTP(w [][]byte) bool {
	switch w[0][0] {
	case 'g', 's', 'a', 'c', 'i', 'd', 't':
		return false
	}
	return bytes.HasPrefix(w[len(w)-1], []byte("HTTP/"))
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
