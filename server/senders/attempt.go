package senders

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/grantd/grantd/server/signedpost"
)

const (
	tries      = 3
	budget     = 8 * time.Second        // for all tries: a caller waits for the result
	firstPause = 500 * time.Millisecond // at most, between the first two
)

// failure is why a try failed. Its text is always from this package: the texts of
// others could hold the code, the number, or secrets from the URL.
type failure struct {
	why   string
	again bool // another try may succeed
}

// failureOf returns the failure of a request; nil: it succeeded.
func failureOf(f *signedpost.Failure) *failure {
	if f == nil {
		return nil
	}
	return &failure{f.Why, f.Again}
}

// explainNoResponse returns why there was no response.
func explainNoResponse(err error) *failure { return failureOf(signedpost.ExplainNoResponse(err)) }

// attempts tries to send a message more than once.
type attempts struct {
	sender string
	now    func() time.Time
}

// send tries at most tries times within budget. It does not try when the code has
// expired, because such a code would only confuse the customer.
// Errors: ErrNotSent.
func (a attempts) send(ctx context.Context, m Message, try func(context.Context) *failure) error {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	why := "the code has expired"
	for n := 1; a.now().Before(m.ExpiresAt); n++ {
		f := try(ctx)
		if f == nil {
			return nil
		}
		why = f.why
		if !f.again || n == tries || !pause(ctx, n) {
			break
		}
	}
	// The error wraps only ErrNotSent, so that unwrapping it finds no cause that
	// says more.
	return fmt.Errorf("%w: %s: %s", ErrNotSent, a.sender, why)
}

// pause waits after the nth try: longer each time, and for a random time, so that
// messages that failed together are not tried again together. It returns false at
// once if ctx would end during the wait.
func pause(ctx context.Context, n int) bool {
	most := firstPause << (n - 1)
	d := most/2 + rand.N(most/2)
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
