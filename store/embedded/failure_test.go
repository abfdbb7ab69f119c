package embedded

import (
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// TestPingAfterAFailure checks that Ping tries again after a second, and not before.
func TestPingAfterAFailure(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), clock)
	err := s.write(t.Context(), "fail", func(*batch) error { return syscall.ENOSPC })
	if got := store.CauseOf(err); got != store.CauseDiskFull {
		t.Errorf("cause %q of the write, want %q", got, store.CauseDiskFull)
	}
	for range 2 {
		if got := store.CauseOf(s.Ping(t.Context())); got != store.CauseDiskFull {
			t.Errorf("cause %q of the ping, want %q", got, store.CauseDiskFull)
		}
		clock.Advance(tryEvery/2 - time.Millisecond)
	}
	clock.Advance(2 * time.Millisecond)
	wantErrors(t, []error{s.Ping(t.Context())}, nil)
	clock.Advance(time.Second)
	wantErrors(t, []error{s.Ping(t.Context())}, nil)
}
