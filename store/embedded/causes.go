package embedded

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/grantd/grantd/store"
)

// causeOf returns why the file cannot be used; "" if only the caller has left.
func causeOf(err error) store.Cause {
	switch {
	case errors.Is(err, errClosed):
		return store.CauseClosed
	case errors.Is(err, context.DeadlineExceeded):
		return store.CauseTimeout
	case errors.Is(err, context.Canceled):
		return ""
	case isErrno(err, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG):
		return store.CauseDiskFull
	case isErrno(err, syscall.EROFS):
		return store.CauseReadOnly
	}
	return store.CauseDisk
}

// isErrno also looks at the text: bbolt does not wrap the error of a file that cannot
// grow.
func isErrno(err error, numbers ...syscall.Errno) bool {
	for _, n := range numbers {
		if errors.Is(err, n) || strings.Contains(err.Error(), n.Error()) {
			return true
		}
	}
	return false
}
