package customers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// slowCounts are counts of codes whose reads wait.
type slowCounts struct {
	reads   atomic.Int64
	reading chan struct{} // gets a value from each read; nil: none waits
	goOn    chan struct{}
}

func (s *slowCounts) ReadCodes(context.Context, ratelimit.CodesOf) (ratelimit.CodesState, error) {
	s.reads.Add(1)
	if s.reading != nil {
		s.reading <- struct{}{}
		<-s.goOn
	}
	return ratelimit.CodesState{}, nil
}

func (s *slowCounts) ResetCodes(context.Context, ratelimit.CodesOf) error { return nil }

// searched returns a Service with so many customers.
func searched(t *testing.T, customers int, counts *slowCounts) *Service {
	t.Helper()
	clock := storetest.NewClock()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for i := range customers {
		c := store.Customer{ID: fmt.Sprint(10_001 + i), OrgID: "acme", Type: store.Individual, Phone: "+15555550136"}
		c.Head = store.Head{CreatedAt: clock.Now(), UpdatedAt: clock.Now(), Version: 1}
		if err := db.Customers().Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := phonekeys.Open("")
	if err != nil {
		t.Fatal(err)
	}
	phones := phonekeys.NewCustomers(phonekeys.Options{Store: db.Customers(), Keys: keys, Log: slog.New(slog.DiscardHandler)})
	return New(Options{Phones: phones, Guesses: db, Codes: counts, Now: clock.Now})
}

// TestOneSearchForLockedCustomers: it reads much, so a second one is refused. A search
// for all that reads little goes on.
func TestOneSearchForLockedCustomers(t *testing.T) {
	t.Parallel()
	counts := &slowCounts{reading: make(chan struct{}), goOn: make(chan struct{})}
	s := searched(t, 1, counts)
	ended := make(chan error)
	go func() {
		_, err := s.Search(context.WithoutCancel(t.Context()), Search{Locked: true})
		ended <- err
	}()
	<-counts.reading
	_, err := s.Search(t.Context(), Search{Locked: true})
	var is *apierr.Error
	if !errors.As(err, &is) || is.Code != apierr.TooManyRequests || is.RetryAfter <= 0 {
		t.Errorf("a second search: %v", err)
	}
	if _, err := s.Search(t.Context(), Search{OrgID: "another"}); err != nil {
		t.Errorf("a search that reads no counts: %v", err)
	}
	close(counts.goOn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	go func() { <-counts.reading }()
	if _, err := s.Search(t.Context(), Search{Locked: true}); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}

// TestSearchReadsFewCounts: a search reads the counts of the customers that it returns.
func TestSearchReadsFewCounts(t *testing.T) {
	t.Parallel()
	counts := &slowCounts{}
	s := searched(t, 20, counts)
	found, err := s.Search(t.Context(), Search{Limit: 3})
	if err != nil || len(found.Customers) != 3 || found.NextCursor != "10003" || counts.reads.Load() != 3 {
		t.Errorf("%d customers, next %q, %d reads, %v", len(found.Customers), found.NextCursor, counts.reads.Load(), err)
	}
	found, err = s.Search(t.Context(), Search{Limit: 30, Cursor: found.NextCursor})
	if err != nil || len(found.Customers) != 17 || found.NextCursor != "" {
		t.Errorf("the rest: %d customers, next %q, %v", len(found.Customers), found.NextCursor, err)
	}
}
