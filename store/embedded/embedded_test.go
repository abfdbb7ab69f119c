package embedded

import (
	"testing"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Harness{New: func(t *testing.T) storetest.Opened {
		clock, folder := storetest.NewClock(), t.TempDir()
		s := open(t, folder, clock)
		return storetest.Opened{
			Store:   s,
			Now:     clock.Now,
			Advance: clock.Advance,
			Reopen: func() store.Store {
				closeStore(t, s)
				return open(t, folder, clock)
			},
		}
	}})
}

// open opens the store in a folder. It is closed when the test ends.
func open(t testing.TB, folder string, clock *storetest.Clock) *Store {
	t.Helper()
	s, err := Open(Options{Path: folder, Now: clock.Now, Elapsed: clock.Elapsed, AuditRetention: storetest.AuditRetention, AuditMaxEvents: storetest.AuditMaxEvents})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
