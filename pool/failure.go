package pool

// FailureKind is what went wrong between us and a server.
type FailureKind uint8

const (
	DialFailed  FailureKind = iota // refused, unreachable, not memcached, or a login refused
	DialTimeout                    // no connection or no greeting in time
	Lost                           // reset or closed by the server while requests were under way
	Timeout                        // a request's own timeout, not its caller's context, ran out
	Garbled                        // a reply that is none, or is another request's
)

// String returns the kind in words.
func (k FailureKind) String() string {
	switch k {
	case DialFailed:
		return "dial failed"
	case DialTimeout:
		return "dial timeout"
	case Lost:
		return "connection lost"
	case Timeout:
		return "timeout"
	case Garbled:
		return "garbled reply"
	}
	return "unknown"
}

// Failure is evidence against a server. What a caller does (a cancelled context, a
// deadline of its own) and the close of an idle connection are none.
type Failure struct {
	Kind  FailureKind
	Conn  uint64 // which connection: a number that is never used again; 0 for a dial
	Count int    // how many requests it hit at once, at least 1
	Err   error
}
