package senders

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	tries      = 3
	budget     = 8 * time.Second        // for all tries: somebody waits for the answer
	firstPause = 500 * time.Millisecond // at most, between the first two
)

// failure is why a try failed, in words of ours: what others say could hold
// the code, the number, or what the URL keeps to itself.
type failure struct {
	why   string
	again bool // another try may do better
}

// attempts is how a sender keeps trying.
type attempts struct {
	sender string
	now    func() time.Time
}

// send tries at most tries times within budget, and never once the code has
// expired: it would only puzzle whoever got it.
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
	// Wrapped is nothing but ErrNotSent: whoever unwraps the error finds no
	// cause that says more.
	return fmt.Errorf("%w: %s: %s", ErrNotSent, a.sender, why)
}

// pause waits after the nth try, longer each time, and so that what failed
// together does not come back together. It answers false at once if ctx would
// end while waiting.
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
