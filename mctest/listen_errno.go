package mctest

import (
	"errors"
	"syscall"
)

// isOutOfFiles reports whether accepting failed for now only.
func isOutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ECONNABORTED)
}
