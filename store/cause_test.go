package store_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/grantd/grantd/store"
)

func TestCauseOf(t *testing.T) {
	t.Parallel()
	caused := store.WithCause(fmt.Errorf("ping: %w", store.ErrUnavailable), store.CauseFull)
	for name, c := range map[string]struct {
		err  error
		want store.Cause
	}{
		"nothing":              {nil, ""},
		"a refusal":            {store.ErrNotFound, ""},
		"a defect":             {errors.New("odd"), ""},
		"caused":               {caused, store.CauseFull},
		"wrapped":              {fmt.Errorf("put token: %w", caused), store.CauseFull},
		"joined":               {errors.Join(store.ErrUnavailable, caused), store.CauseFull},
		"unsuitable":           {fmt.Errorf("redis: %w", store.ErrUnsuitable), store.CauseUnsuitable},
		"no more is known":     {fmt.Errorf("x: %w", store.ErrUnavailable), store.CauseUnavailable},
		"too late":             {fmt.Errorf("%w: %w", store.ErrUnavailable, context.DeadlineExceeded), store.CauseTimeout},
		"the caller has left":  {fmt.Errorf("%w: %w", store.ErrUnavailable, context.Canceled), ""},
		"without a cause":      {store.WithCause(fmt.Errorf("x: %w", store.ErrUnavailable), ""), store.CauseUnavailable},
		"of an error that was": {store.WithCause(nil, store.CauseFull), ""},
	} {
		if got := store.CauseOf(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if !errors.Is(caused, store.ErrUnavailable) || caused.Error() != "ping: store unavailable" {
		t.Errorf("the cause changes the error: %v", caused)
	}
}

// TestCauseReasons: each cause is one word, and says in one line what is wrong and
// what to do.
func TestCauseReasons(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`^store_[a-z_]+$`)
	for _, c := range store.Causes() {
		if reason := c.Reason(); !word.MatchString(string(c)) || !strings.HasPrefix(reason, "the ") || !strings.Contains(reason, ": ") || strings.Contains(reason, "\n") {
			t.Errorf("%s: %q", c, reason)
		}
	}
	if len(store.Causes()) < 10 {
		t.Error("causes are missing")
	}
}
