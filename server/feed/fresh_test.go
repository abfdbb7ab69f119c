package feed

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// wants checks that err is nil, or that it wraps all of want.
func wants(t *testing.T, rule string, err error, want ...error) {
	t.Helper()
	if len(want) == 0 && err != nil {
		t.Errorf("%s: %v", rule, err)
	}
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("%s: error %v, want %v", rule, err, w)
		}
	}
}

// TestFreshReadsOnlyWhenStale checks that a request within max_staleness of the
// last read does not read from the store.
func TestFreshReadsOnlyWhenStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewFaulty(newMemory())
		f := loaded(t, options(s))
		reads := s.Calls("ReadFeed")
		time.Sleep(time.Second - 1)
		_, err := f.Fresh(t.Context())
		wants(t, "just fresh", err)
		if n := s.Calls("ReadFeed") - reads; n != 0 {
			t.Errorf("%d reads while it was fresh", n)
		}
		time.Sleep(1) //nolint:staticcheck // one nanosecond of a fake clock
		_, err = f.Fresh(t.Context())
		wants(t, "just stale", err)
		if n := s.Calls("ReadFeed") - reads; n != 1 {
			t.Errorf("%d reads when it was stale, want 1", n)
		}
		if f.Age() != 0 {
			t.Errorf("age %v after a read", f.Age())
		}
	})
}

// TestFreshWithoutStore checks that a copy stays fresh for max_staleness when the
// store fails, and no longer.
func TestFreshWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.NewFaulty(newMemory())
		f := loaded(t, options(s))
		s.Fail("ReadFeed", store.ErrUnavailable)
		_, err := f.Fresh(t.Context())
		wants(t, "still fresh", err)
		time.Sleep(time.Second)
		_, err = f.Fresh(t.Context())
		wants(t, "stale", err, ErrStale, store.ErrUnavailable)
		s.Heal("ReadFeed")
		_, err = f.Fresh(t.Context())
		wants(t, "the store is back", err)
	})
}

// TestFreshBeforeLoading checks that a feed without entries is not fresh, and
// loads when it can.
func TestFreshBeforeLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		appended(t, m, void("a"))
		s := storetest.NewFaulty(m)
		f := New(options(s))
		s.Fail("FeedLineage", store.ErrUnavailable)
		_, err := f.Fresh(t.Context())
		wants(t, "not loaded", err, ErrStale)
		s.Heal("FeedLineage")
		_, err = f.Fresh(t.Context())
		wants(t, "loaded by the request", err)
		if !dead(f, "a", store.Position{}) {
			t.Error("the feed was not loaded")
		}
	})
}

// TestFreshIsBounded checks that Fresh returns by the caller's deadline, and after
// one second.
func TestFreshIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := loaded(t, options(m))
		time.Sleep(time.Second)
		release := m.slow()
		for _, want := range []time.Duration{50 * time.Millisecond, readTimeout} {
			ctx, cancel := context.WithTimeout(t.Context(), want)
			if want == readTimeout {
				ctx = t.Context()
			}
			at := time.Now()
			_, err := f.Fresh(ctx)
			wants(t, "the store hangs", err, ErrStale, context.DeadlineExceeded)
			if took := time.Since(at); took != want {
				t.Errorf("it took %v, want %v", took, want)
			}
			cancel()
		}
		release()
		synctest.Wait()
	})
}

// TestOneReadServesAllWhoWait checks that callers which wait share one read.
func TestOneReadServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		s := storetest.NewFaulty(m)
		f := loaded(t, options(s))
		reads := s.Calls("ReadFeed")
		time.Sleep(time.Second)
		release := m.slow()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				_, err := f.Fresh(t.Context())
				wants(t, "waiting", err)
			})
		}
		synctest.Wait()
		release()
		all.Wait()
		if n := s.Calls("ReadFeed") - reads; n != 1 {
			t.Errorf("%d reads for all who waited, want 1", n)
		}
	})
}

// TestJoinedReadMayBeTooOld checks that a read which another request sent long ago
// does not confirm what was appended after it.
func TestJoinedReadMayBeTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		o := options(m)
		o.MaxStaleness = 500 * time.Millisecond
		f := loaded(t, o)
		time.Sleep(o.MaxStaleness)
		release := m.slow()
		go func() { _, _ = f.Fresh(t.Context()) }()
		synctest.Wait() // the read has looked, and waits
		appended(t, m, void("a"))
		time.Sleep(900 * time.Millisecond)
		done := make(chan error)
		go func() {
			_, err := f.Fresh(t.Context())
			done <- err
		}()
		synctest.Wait()
		release()
		wants(t, "joined", <-done)
		if !dead(f, "a", store.Position{}) {
			t.Error("what was void 900 ms before the request counts as fresh")
		}
	})
}

// TestAppendReturnsWhenApplied checks that the entry counts here when Append
// returns, even if Append joins a read that looked before the entry was there.
func TestAppendReturnsWhenApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := loaded(t, options(m))
		time.Sleep(time.Second)
		release := m.slow()
		go func() { _, _ = f.Fresh(t.Context()) }()
		synctest.Wait()
		done := make(chan error)
		go func() { done <- f.Append(t.Context(), void("a")) }()
		synctest.Wait()
		release()
		wants(t, "append", <-done)
		if !dead(f, "a", store.Position{}) {
			t.Error("Append returned before its entry counted here")
		}
		if e := m.all()[0]; e.At.IsZero() || e.By != "uid:0" {
			t.Errorf("entry %+v", e)
		}
	})
}

// TestAppendToAStoreThatHangs checks that Append fails in time if the entry is
// written but cannot be read.
func TestAppendToAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := loaded(t, options(m))
		release := m.slow()
		at := time.Now()
		wants(t, "the store hangs", f.Append(t.Context(), void("a")), store.ErrUnavailable, context.DeadlineExceeded)
		if took := time.Since(at); took != readTimeout {
			t.Errorf("it took %v, want %v", took, readTimeout)
		}
		release()
		synctest.Wait()
		wants(t, "again", f.Append(t.Context(), void("a")))
	})
}

// TestAppendFails checks that an entry counts only if it was written, that Append
// fails if it cannot be applied here, and that repeating it succeeds.
func TestAppendFails(t *testing.T) {
	s, err := embedded.Open(embedded.Options{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	faulty := storetest.NewFaulty(s)
	f, stop := started(t, options(faulty))
	defer stop()
	before := f.Position()
	faulty.Fail("AppendFeed", store.ErrUnavailable)
	wants(t, "not written", f.Append(t.Context(), void("a")), store.ErrUnavailable)
	if dead(f, "a", before) || f.Position() != before {
		t.Error("an entry counts that was not written")
	}
	faulty.Heal("AppendFeed")
	faulty.Fail("ReadFeed", store.ErrUnavailable)
	wants(t, "written, not read", f.Append(t.Context(), void("a")), store.ErrUnavailable)
	faulty.Heal("ReadFeed")
	faulty.FailAfter("AppendFeed", store.ErrUnavailable)
	wants(t, "written, but reported as failed", f.Append(t.Context(), void("b")), store.ErrUnavailable)
	faulty.Heal("AppendFeed")
	wants(t, "again", f.Append(t.Context(), void("b")))
	for _, client := range []string{"a", "b"} {
		if !dead(f, client, before) {
			t.Errorf("the void of %s does not count", client)
		}
	}
	if dead(f, "b", f.Position()) {
		t.Error("a token minted afterwards is void")
	}
	if _, err := f.Fresh(t.Context()); err != nil || f.Age() != 0 {
		t.Errorf("a store of one process is always fresh: %v, age %v", err, f.Age())
	}
}

// TestSettle checks that Settle waits for max_staleness, unless no other process
// shares the store or the caller leaves.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := loaded(t, options(newMemory()))
		at := time.Now()
		wants(t, "settle", f.Settle(t.Context()))
		if took := time.Since(at); took != time.Second {
			t.Errorf("it took %v, want max_staleness", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		wants(t, "given up", f.Settle(ctx), store.ErrUnavailable, context.DeadlineExceeded)
		f.o.Shared = false
		at = time.Now()
		wants(t, "alone", f.Settle(t.Context()))
		if took := time.Since(at); took != 0 {
			t.Errorf("alone it took %v", took)
		}
	})
}
