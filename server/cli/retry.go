package cli

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// doWithRetry makes up to maxTries requests over about 15 seconds, long enough
// for a server to restart.
const (
	maxTries  = 6
	firstWait = 500 * time.Millisecond // doubled before each further try
)

// temporary reports whether the same request may succeed a moment later.
func temporary(err error) bool {
	var r *responseError
	if errors.As(err, &r) {
		return r.status == http.StatusServiceUnavailable || r.status == http.StatusBadGateway || r.status == http.StatusGatewayTimeout
	}
	var n *unreachableError
	return errors.As(err, &n)
}

// doWithRetry repeats an idempotent call until it succeeds, fails for another
// reason or has been tried maxTries times. retrying is called before each wait.
func (c *api) doWithRetry(ctx context.Context, what call, retrying func(format string, args ...any)) ([]byte, error) {
	for try, wait := 1, firstWait; ; try, wait = try+1, 2*wait {
		response, err := c.do(ctx, what)
		if err == nil || try == maxTries || !temporary(err) {
			return response, err
		}
		retrying("%s; trying again in %s", err, wait)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}
