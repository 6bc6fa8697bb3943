package mctest

// command is a command that is counted by name.
type command uint8

const (
	cmdGet command = iota
	cmdGets
	cmdGat
	cmdGats
	cmdSet
	cmdAdd
	cmdReplace
	cmdAppend
	cmdPrepend
	cmdCAS
	cmdIncr
	cmdDecr
	cmdTouch
	cmdDelete
	cmdMetaGet
	cmdMetaSet
	cmdMetaDelete
	cmdMetaArithmetic
	cmdMetaNoop
	cmdMetaDebug
	cmdVersion
	cmdStats
	cmdFlushAll
	cmdVerbosity
	cmdQuit
	cmdAuth
	cmdOther
	numCommands
)

var commandNames = [numCommands]string{
	"get", "gets", "gat", "gats", "set", "add", "replace", "append", "prepend", "cas",
	"incr", "decr", "touch", "delete", "mg", "ms", "md", "ma", "mn", "me",
	"version", "stats", "flush_all", "verbosity", "quit", "auth", "other",
}

// knownCommands maps the words that d knows to commands.
func knownCommands(d dialect) map[string]command {
	known := map[string]command{"bget": cmdGet} // an ancient name
	for cmd := cmdGet; cmd <= cmdQuit; cmd++ {
		switch {
		case cmdMetaGet <= cmd && cmd <= cmdMetaDebug && !d.meta:
		case (cmd == cmdGat || cmd == cmdGats) && !d.gat:
		case cmd == cmdTouch && !d.touch:
		default:
			known[commandNames[cmd]] = cmd
		}
	}
	return known
}

// counters are memcached's, and how often each command came.
type counters struct {
	commands [numCommands]uint64

	gets, getHits, getMisses, getExpired, getFlushed uint64
	touches, touchHits, touchMisses                  uint64
	sets, flushes, metaDebug                         uint64
	deleteHits, deleteMisses                         uint64
	incrHits, incrMisses, decrHits, decrMisses       uint64
	casHits, casMisses, casBadval                    uint64
	storeTooLarge, authCmds, authErrors              uint64
	totalItems, evictions, reclaimed                 uint64
	totalConns, rejectedConns, idleKicks             uint64
	bytesRead, bytesWritten                          uint64
}

// fetch counts a looked up key the way memcached does: with a new exptime it is a
// touch and not a get.
func (n *counters) fetch(hit, touch bool) {
	switch {
	case touch && hit:
		n.touches++
		n.touchHits++
	case touch:
		n.touches++
		n.touchMisses++
	case hit:
		n.gets++
		n.getHits++
	default:
		n.gets++
		n.getMisses++
	}
}

func (n *counters) deltaMiss(incr bool) {
	if incr {
		n.incrMisses++
	} else {
		n.decrMisses++
	}
}

// Stats is what a server has counted since it was started, restarted or told
// "stats reset". A request is counted before its reply leaves, so that a client
// that has all its replies can compare exactly.
type Stats struct {
	// Commands counts the requests by their first word, "get" or "mg" for
	// instance, also those that were answered with an error; "auth" is a login
	// and "other" everything unknown. Only complete requests are counted.
	Commands map[string]uint64

	// The counters of memcached's "stats" with the same meaning. Gets, GetHits
	// and GetMisses count keys, not requests; keys of gat and of mg with a new
	// exptime are counted as Touches instead.
	Gets, GetHits, GetMisses        uint64
	Touches, TouchHits, TouchMisses uint64
	Sets, Flushes                   uint64
	DeleteHits, DeleteMisses        uint64
	IncrHits, IncrMisses            uint64
	DecrHits, DecrMisses            uint64
	CASHits, CASMisses, CASBadval   uint64
	TotalItems, Evictions           uint64
	TotalConns, RejectedConns       uint64
	IdleKicks, AuthErrors           uint64
	BytesRead, BytesWritten         uint64
	Conns, Items, PID               int   // now
	Bytes                           int64 // now
}

// Stats returns the counters. It works whatever fault is in force.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	st, pid, conns := s.st, s.pid, s.served
	s.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	n := &st.n
	out := Stats{
		Commands: make(map[string]uint64),
		Gets:     n.gets, GetHits: n.getHits, GetMisses: n.getMisses,
		Touches: n.touches, TouchHits: n.touchHits, TouchMisses: n.touchMisses,
		Sets: n.sets, Flushes: n.flushes,
		DeleteHits: n.deleteHits, DeleteMisses: n.deleteMisses,
		IncrHits: n.incrHits, IncrMisses: n.incrMisses,
		DecrHits: n.decrHits, DecrMisses: n.decrMisses,
		CASHits: n.casHits, CASMisses: n.casMisses, CASBadval: n.casBadval,
		TotalItems: n.totalItems, Evictions: n.evictions,
		TotalConns: n.totalConns, RejectedConns: n.rejectedConns,
		IdleKicks: n.idleKicks, AuthErrors: n.authErrors,
		BytesRead: n.bytesRead, BytesWritten: n.bytesWritten,
		Conns: conns, Items: len(st.items), PID: pid, Bytes: st.bytes,
	}
	for i, k := range n.commands {
		if k > 0 {
			out.Commands[commandNames[i]] = k
		}
	}
	return out
}
