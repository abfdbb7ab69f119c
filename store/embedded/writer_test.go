package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/poll"
)

// oneBatch queues all calls while the writer is busy, so that they run in one
// transaction, in their order. It returns their errors.
func oneBatch(t *testing.T, s *Store, calls ...func() error) []error {
	t.Helper()
	busy, release := make(chan struct{}), make(chan struct{})
	results := make(chan func(), len(calls)+1)
	errs := make([]error, len(calls))
	go func() {
		err := s.write(t.Context(), "be busy", func(*batch) error {
			close(busy)
			<-release
			return errUnchanged
		})
		results <- func() {
			if err != nil {
				t.Errorf("being busy: %v", err)
			}
		}
	}()
	<-busy
	for i, call := range calls {
		go func() {
			err := call()
			results <- func() { errs[i] = err }
		}()
		poll.AwaitTrue(t, poll.Patience, "the call to be queued", func() bool { return len(s.queue) == i+1 })
	}
	close(release)
	for range len(calls) + 1 {
		(<-results)()
	}
	return errs
}

func create(t *testing.T, s *Store, id string) func() error {
	return func() error { return s.Clients().Create(t.Context(), store.Client{ID: id}) }
}

func wantErrors(t *testing.T, got []error, want ...error) {
	t.Helper()
	for i, err := range got {
		if !errors.Is(err, want[i]) {
			t.Errorf("call %d: error %v, want %v", i, err, want[i])
		}
	}
}

func TestRefusalDoesNotAffectItsBatch(t *testing.T) {
	s := open(t, t.TempDir(), storetest.NewClock())
	wantErrors(t, oneBatch(t, s,
		create(t, s, "a"),
		create(t, s, "a"),
		create(t, s, "b"),
		func() error {
			return s.Clients().Update(t.Context(), store.Client{ID: "b", Head: store.Head{Version: 1}})
		},
		func() error { return s.Clients().Delete(t.Context(), "a", 7) },
		func() error { return s.Clients().Delete(t.Context(), "a", 1) },
	), nil, store.ErrExists, nil, nil, store.ErrConflict, nil)
	list, err := s.Clients().List(t.Context(), store.Page{Limit: 10})
	if err != nil || len(list) != 1 || list[0].ID != "b" || list[0].Version != 2 {
		t.Errorf("clients %+v, error %v; want b of version 2", list, err)
	}
}

// TestIDThatCannotBeAKey: bbolt would refuse the key and fail the batch.
func TestIDThatCannotBeAKey(t *testing.T) {
	s := open(t, t.TempDir(), storetest.NewClock())
	for _, id := range []string{"", strings.Repeat("a", bbolt.MaxKeySize+1)} {
		if err := create(t, s, id)(); err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("an id of %d bytes: error %v, want a refusal", len(id), err)
		}
	}
}

func TestFailureFailsTheWholeBatch(t *testing.T) {
	for name, fail := range map[string]func(*batch) error{
		"error": func(*batch) error { return errors.New("disk on fire") },
		"panic": func(*batch) error { panic("a page is not what it was") },
	} {
		t.Run(name, func(t *testing.T) {
			clock := storetest.NewClock()
			s := open(t, t.TempDir(), clock)
			wantErrors(t, oneBatch(t, s,
				create(t, s, "a"),
				create(t, s, "a"),
				func() error { return s.write(t.Context(), "fail", fail) },
				create(t, s, "b"),
			), store.ErrUnavailable, store.ErrUnavailable, store.ErrUnavailable, store.ErrUnavailable)
			for _, id := range []string{"a", "b"} {
				if err := create(t, s, id)(); err != nil {
					t.Errorf("create %s afterwards: %v", id, err)
				}
			}
			wantErrors(t, []error{s.Ping(t.Context())}, store.ErrUnavailable)
			clock.Advance(tryEvery)
			wantErrors(t, []error{s.Ping(t.Context())}, nil)
		})
	}
}

func TestCallerThatLeavesTheQueue(t *testing.T) {
	s := open(t, t.TempDir(), storetest.NewClock())
	ctx, cancel := context.WithCancel(t.Context())
	wantErrors(t, oneBatch(t, s,
		func() error { return s.Clients().Create(ctx, store.Client{ID: "a"}) },
		func() error { cancel(); return create(t, s, "b")() },
	), store.ErrUnavailable, nil)
	_, err := s.Clients().Get(t.Context(), "a")
	wantErrors(t, []error{err}, store.ErrNotFound)
}

func TestPingWritesOnceASecond(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), clock)
	written := func() bool {
		t.Helper()
		before := s.pinged.Load()
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.pinged.Load() != before
	}
	for _, step := range []struct {
		advance time.Duration
		want    bool
	}{{0, true}, {0, false}, {999 * time.Millisecond, false}, {time.Millisecond, true}, {-time.Hour, true}} {
		clock.Advance(step.advance)
		if got := written(); got != step.want {
			t.Errorf("after %v: wrote %v, want %v", step.advance, got, step.want)
		}
	}
}
