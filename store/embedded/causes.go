package embedded

import (
	"context"
	"errors"
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
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return store.CauseDiskFull
	case errors.Is(err, syscall.EROFS):
		return store.CauseReadOnly
	}
	return store.CauseDisk
}
