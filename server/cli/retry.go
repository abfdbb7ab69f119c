package cli

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// How long a call is tried that does no harm when it is made twice: some 15
// seconds in all, in which a server can be restarted.
const (
	tries     = 6
	firstWait = 500 * time.Millisecond // doubled before each further try
)

// refusal is an answer that is no success.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// noAnswer is a call that nobody answered.
type noAnswer struct{ error }

func (n *noAnswer) Unwrap() error { return n.error }

// passing says whether the same call may succeed a moment later.
func passing(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return r.status == http.StatusServiceUnavailable || r.status == http.StatusBadGateway || r.status == http.StatusGatewayTimeout
	}
	var n *noAnswer
	return errors.As(err, &n)
}

// persist makes the call until it is answered, or what is wrong will not pass
// by itself. note is told before each wait.
func (c *api) persist(ctx context.Context, what call, note func(format string, args ...any)) ([]byte, error) {
	for try, wait := 1, firstWait; ; try, wait = try+1, 2*wait {
		answer, err := c.do(ctx, what)
		if err == nil || try == tries || !passing(err) {
			return answer, err
		}
		note("%s; trying again in %s", err, wait)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}
