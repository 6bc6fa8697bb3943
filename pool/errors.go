package pool

import "errors"

var (
	// ErrTimeout: the server has not answered within the request's timeout.
	ErrTimeout = errors.New("memcached: no reply in time")
	// ErrBusy: every connection had MaxInFlight requests under way until the
	// deadline, or too many requests were waiting already.
	ErrBusy = errors.New("memcached: too many requests in flight")
	// ErrClosed: the pool was closed.
	ErrClosed = errors.New("memcached: pool closed")
	// ErrDial: no connection could be made; the cause is wrapped beside it.
	ErrDial = errors.New("memcached: cannot connect")
	// ErrConnLost: the connection broke under the request.
	ErrConnLost = errors.New("memcached: connection lost")
	// ErrStalled: the connection was closed because the reply at its head was
	// overdue.
	ErrStalled = errors.New("memcached: connection stalled")
)

// Error is a request's failure without a reply.
type Error struct {
	// Sent says whether bytes of the request may have left for the server. If
	// false, the server cannot have carried it out, now or later.
	Sent bool
	Err  error
}

// Error returns the cause's text.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause: one of the package's errors, a context's error, or
// what Drain was given.
func (e *Error) Unwrap() error { return e.Err }
