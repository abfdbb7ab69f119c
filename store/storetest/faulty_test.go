package storetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// TestFaultyStore: without faults, a Faulty passes the suite.
func TestFaultyStore(t *testing.T) {
	storetest.Run(t, storetest.Harness{New: func(t *testing.T) storetest.Opened {
		clock, folder := storetest.NewClock(), t.TempDir()
		s := open(t, folder, clock)
		return storetest.Opened{
			Store:   storetest.NewFaulty(s),
			Now:     clock.Now,
			Advance: clock.Advance,
			Reopen: func() store.Store {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return storetest.NewFaulty(open(t, folder, clock))
			},
		}
	}})
}

func open(t *testing.T, folder string, clock *storetest.Clock) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: folder, Now: clock.Now, Elapsed: clock.Elapsed, AuditRetention: storetest.AuditRetention, AuditMaxEvents: storetest.AuditMaxEvents})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func faulty(t *testing.T) *storetest.Faulty {
	return storetest.NewFaulty(open(t, t.TempDir(), storetest.NewClock()))
}

func wants(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("error %v, want %v", got, want)
	}
}

var errTest = errors.New("asked for by the test")

func TestFaultyFail(t *testing.T) {
	f := faulty(t)
	f.Fail("CreateClient", errTest)
	wants(t, f.Clients().Create(t.Context(), store.Client{ID: "a"}), errTest)
	_, err := f.Clients().Get(t.Context(), "a")
	wants(t, err, store.ErrNotFound)
	f.Heal("CreateClient")
	wants(t, f.Clients().Create(t.Context(), store.Client{ID: "a"}), nil)
	if n := f.Calls("CreateClient"); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestFaultyFailAfter(t *testing.T) {
	f := faulty(t)
	f.FailAfter("CreateClient", errTest)
	wants(t, f.Clients().Create(t.Context(), store.Client{ID: "a"}), errTest)
	_, err := f.Clients().Get(t.Context(), "a")
	wants(t, err, nil)
}

func TestFaultyEveryMethod(t *testing.T) {
	f := faulty(t)
	f.Fail(storetest.EveryMethod, errTest)
	wants(t, f.Ping(t.Context()), errTest)
	_, err := f.FeedLineage(t.Context())
	wants(t, err, errTest)
	if n := f.Calls(storetest.EveryMethod); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestFaultyHook(t *testing.T) {
	f := faulty(t)
	f.Hook("GetClient", func() {
		wants(t, f.Clients().Create(t.Context(), store.Client{ID: "a"}), nil)
	})
	_, err := f.Clients().Get(t.Context(), "a")
	wants(t, err, nil)
}

func TestFaultyBlock(t *testing.T) {
	f := faulty(t)
	entered, release := f.Block("Ping")
	done := make(chan error)
	go func() { done <- f.Ping(t.Context()) }()
	<-entered
	wants(t, f.Clients().Create(t.Context(), store.Client{ID: "a"}), nil)
	release()
	wants(t, <-done, nil)

	f.Heal("Ping")
	entered, release = f.Block("Ping")
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- f.Ping(ctx) }()
	<-entered
	cancel()
	wants(t, <-done, store.ErrUnavailable)
}

func TestFaultyKnowsItsMethods(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an unknown operation was accepted")
		}
	}()
	faulty(t).Fail("PutTokens", errTest)
}
