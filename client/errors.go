package client

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringbeat/ringbeat/internal/proto"
	"github.com/ringbeat/ringbeat/pool"
)

// The errors that callers branch on. Those that gomemcache knows are its own
// values, so that existing comparisons go on working. Compare with errors.Is.
var (
	ErrCacheMiss    = memcache.ErrCacheMiss
	ErrNotStored    = memcache.ErrNotStored
	ErrCASConflict  = memcache.ErrCASConflict
	ErrMalformedKey = memcache.ErrMalformedKey
	ErrNoServers    = memcache.ErrNoServers
	ErrServerError  = memcache.ErrServerError // the server answered with an error line

	// ErrServerDown is the cause when a key's server is ejected and no other
	// serves for it: nothing was sent, and the call took microseconds.
	ErrServerDown = errors.New("memcache: server is down")
	// ErrClosed is the cause when the client was closed.
	ErrClosed = errors.New("memcache: client closed")
)

// OpError is the failure of one operation, as every error that is no sentinel
// leaves this package. The key is a field and never in the text, because keys
// carry personal data and errors get logged.
type OpError struct {
	Op     string // "get", "set", "add", ... as in memcached's protocol
	Server string // the ring name of the server that failed, "" where none did
	Key    string // the key, or the first of several; "" where there is none
	Sent   bool   // whether bytes of the request may have left for a server
	Err    error  // the cause
}

// Error names the operation, the server and the cause.
func (e *OpError) Error() string {
	if e.Server == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s on %s: %v", e.Op, e.Server, e.Err)
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Timeout reports whether the time ran out: the server's, or the caller's own.
func (e *OpError) Timeout() bool {
	return errors.Is(e.Err, pool.ErrTimeout) || errors.Is(e.Err, pool.ErrStalled) ||
		errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, os.ErrDeadlineExceeded)
}

// SafeToRetry reports whether the operation behind err may be tried again
// without the danger that it is carried out twice: nothing was sent, or it only
// reads. It is false for nil and for an answer such as ErrCacheMiss. Of joined
// errors all must be safe.
func SafeToRetry(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		parts := joined.Unwrap()
		for _, part := range parts {
			if !SafeToRetry(part) {
				return false
			}
		}
		return len(parts) > 0
	}
	var failed *OpError
	if !errors.As(err, &failed) {
		return false
	}
	return !failed.Sent || failed.Op == "get" || failed.Op == "version" || failed.Op == "stats"
}

// opError makes the error of an operation that a server did not carry out. A
// request that no server can take is the caller's mistake and named as such.
func opError(op proto.Op, s *server, key string, err error) error {
	if errors.Is(err, proto.ErrMalformedKey) {
		return ErrMalformedKey
	}
	failed := &OpError{Op: op.String(), Key: key, Err: err}
	if s != nil {
		failed.Server = s.Name
	}
	var lost *pool.Error
	var said *proto.ServerError
	switch {
	case errors.As(err, &lost):
		failed.Sent, failed.Err = lost.Sent, lost.Err
	case errors.As(err, &said):
		failed.Sent, failed.Err = true, fmt.Errorf("%w: %s", ErrServerError, said.Line)
	}
	if errors.Is(failed.Err, pool.ErrClosed) {
		failed.Err = ErrClosed
	}
	return failed
}

// verdict turns the status of an answer into what the caller gets.
func verdict(s proto.Status) error {
	switch s {
	case proto.Miss:
		return ErrCacheMiss
	case proto.NotStored:
		return ErrNotStored
	case proto.Exists:
		return ErrCASConflict
	}
	return nil
}
