package registry

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// cached returns a cache that holds the client a, and how often it has asked
// the store since.
func (w *world) cached(t *testing.T) (c *Cache[store.Client], reads func() int) {
	t.Helper()
	w.add(t, "a")
	c = NewCache(store.ClientKind, w.Clients(), w.feed)
	l := w.lookUp(t, c, "a")
	if l.Cached || l.Record.Name != "first" || l.Mark.Position != w.feed.Position() {
		t.Fatalf("the first lookup: %+v", l)
	}
	before := w.Calls("GetClient")
	return c, func() int { return w.Calls("GetClient") - before }
}

func (w *world) lookUp(t *testing.T, c *Cache[store.Client], id string) Lookup[store.Client] {
	t.Helper()
	l, err := c.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCacheAsksTheStoreOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, reads := w.cached(t)
		for range 3 {
			if l := w.lookUp(t, c, "a"); !l.Cached || l.Record.Name != "first" {
				t.Errorf("%+v", l)
			}
		}
		w.tell(t, store.EntryVoid, "b")
		if l := w.lookUp(t, c, "a"); !l.Cached || reads() != 0 {
			t.Errorf("%d reads; an entry about another record is none about this one: %+v", reads(), l)
		}
	})
}

// Peek reads nothing, and Read always reads; what it finds is in memory then.
func TestCachePeekAndRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, reads := w.cached(t)
		w.add(t, "b")
		for id, want := range map[string]bool{"a": true, "b": false, "nobody": false} {
			l, err := c.Peek(t.Context(), id)
			if err != nil || l.Cached != want || (l.Record != nil) != want || l.Mark.Position != w.feed.Position() {
				t.Errorf("peek %s: %+v, %v", id, l, err)
			}
		}
		if reads() != 0 {
			t.Errorf("%d reads by Peek", reads())
		}
		for id, want := range map[string]bool{"a": true, "b": true, "nobody": false} {
			l, err := c.Read(t.Context(), id)
			if err != nil || l.Cached || (l.Record != nil) != want {
				t.Errorf("read %s: %+v, %v", id, l, err)
			}
		}
		if l, err := c.Peek(t.Context(), "b"); reads() != 3 || err != nil || !l.Cached {
			t.Errorf("%d reads by Read; then %+v, %v", reads(), l, err)
		}
		w.Fail("GetClient", store.ErrUnavailable)
		if _, err := c.Read(t.Context(), "a"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("without the store: %v", err)
		}
	})
}

// Invariant 6: a record is not used after an entry that names it.
func TestCacheObeysTheFeed(t *testing.T) {
	for _, kind := range []store.EntryKind{store.EntryChange, store.EntryVoid} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				c, reads := w.cached(t)
				w.tell(t, kind, "a")
				if l := w.lookUp(t, c, "a"); l.Cached || reads() != 1 {
					t.Errorf("%d reads: %+v", reads(), l)
				}
				if l := w.lookUp(t, c, "a"); !l.Cached || reads() != 1 {
					t.Errorf("%d reads: %+v", reads(), l)
				}
			})
		})
	}
}

// The promise of the package, with both halves: what the Registry changed is
// not used from a Cache.
func TestCacheBesideChanges(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, _ := w.cached(t)
		for _, row := range []struct {
			rule string
			do   func() error
			want func(*store.Client) bool
		}{
			{"change", func() error { _, err := w.clients.Change(t.Context(), to(w, "a", "second")); return err },
				func(c *store.Client) bool { return c.Name == "second" }},
			{"deactivate", func() error { _, err := w.clients.Deactivate(t.Context(), by, "a"); return err },
				func(c *store.Client) bool { return c.DeactivatedAt != nil }},
			{"reactivate", func() error { _, err := w.clients.Reactivate(t.Context(), by, "a"); return err },
				func(c *store.Client) bool { return c.DeactivatedAt == nil }},
			{"delete", func() error { return w.clients.Delete(t.Context(), by, "a", 0) },
				func(c *store.Client) bool { return c == nil }},
			{"create", func() error { return w.clients.Create(t.Context(), by, w.first("a")) },
				func(c *store.Client) bool { return c.Name == "first" }},
		} {
			refused(t, row.rule, row.do(), "")
			if l := w.lookUp(t, c, "a"); !row.want(l.Record) {
				t.Errorf("%s: %+v", row.rule, l.Record)
			}
		}
	})
}

// Invariant 9: a deletion that could not void again leaves the deactivated
// record in a cache. A new record with its id drops it.
func TestCacheAfterAnUnfinishedDeletion(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, _ := w.cached(t)
		w.Hook("DeleteClient", func() { w.lookUp(t, c, "a") })
		w.failAt("AppendFeed", 2)
		refused(t, "delete", w.clients.Delete(t.Context(), by, "a", 0), apierr.Unavailable)
		if l := w.lookUp(t, c, "a"); l.Record == nil || l.Record.DeactivatedAt == nil {
			t.Fatalf("the cached record must be refused: %+v", l.Record)
		}
		refused(t, "create", w.clients.Create(t.Context(), by, w.first("a")), "")
		if l := w.lookUp(t, c, "a"); l.Record == nil || l.Record.DeactivatedAt != nil {
			t.Errorf("the former record: %+v", l.Record)
		}
	})
}

// lateStore does something between the read of a record and its return.
type lateStore struct {
	store.Clients
	between func(id string)
}

func (s *lateStore) Get(ctx context.Context, id string) (store.Client, error) {
	c, err := s.Clients.Get(ctx, id)
	if s.between != nil {
		s.between(id)
	}
	return c, err
}

// Invariant 5: a change during the read makes what was read invalid, also if
// this replica applies the entry before the read returns.
func TestCacheTakesTheMarkBeforeTheRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		minted := w.feed.Position()
		late := &lateStore{Clients: w.Clients()}
		late.between = func(string) { w.rename(t, "a", "second") }
		c := NewCache(store.ClientKind, late, w.feed)
		if l := w.lookUp(t, c, "a"); l.Record.Name != "first" || l.Mark.Position != minted {
			t.Errorf("%+v; the mark is %v, want %v", l.Record, l.Mark, minted)
		}
		late.between = nil
		if l := w.lookUp(t, c, "a"); l.Cached || l.Record.Name != "second" {
			t.Errorf("an old record is used: %+v", l)
		}
	})
}

// Invariant 6: after a loss of the feed nothing from before is used.
func TestCacheAfterALossOfTheFeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, reads := w.cached(t)
		before := w.lookUp(t, c, "a").Mark.Epoch
		w.Hook("ReadFeed", func() { w.Heal("ReadFeed") })
		w.Fail("ReadFeed", store.ErrFeedLost)
		time.Sleep(staleness)
		synctest.Wait()
		l := w.lookUp(t, c, "a")
		if l.Mark.Epoch == before {
			t.Fatal("the feed has not recovered from a loss")
		}
		if l.Cached || reads() != 1 {
			t.Errorf("%d reads: %+v", reads(), l)
		}
	})
}

// Invariant 6: cacheAge bounds what a replica does that wrote a record and died.
func TestCacheForgetsWithTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, reads := w.cached(t)
		s := w.stored(t, "a")
		s.Name = "nobody was told"
		if err := w.Store.Clients().Update(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(cacheAge)
		if l := w.lookUp(t, c, "a"); !l.Cached {
			t.Errorf("after %v: %+v", cacheAge, l)
		}
		time.Sleep(1) //nolint:staticcheck // one nanosecond of a fake clock
		if l := w.lookUp(t, c, "a"); l.Cached || l.Record.Name != s.Name || reads() != 1 {
			t.Errorf("after more than %v: %d reads: %+v", cacheAge, reads(), l)
		}
	})
}

// Invariant 6: without the feed no record is used, cached or not.
func TestCacheWithoutTheFeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, reads := w.cached(t)
		w.Fail("ReadFeed", store.ErrUnavailable)
		w.Fail("FeedLineage", store.ErrUnavailable)
		time.Sleep(2 * staleness)
		for _, id := range []string{"a", "b"} {
			if l, err := c.Get(t.Context(), id); !errors.Is(err, feed.ErrStale) || !errors.Is(err, store.ErrUnavailable) || l.Record != nil {
				t.Errorf("%s: %+v, %v", id, l, err)
			}
		}
		if reads() != 0 {
			t.Errorf("%d reads", reads())
		}
	})
}

func TestCacheWithoutTheStore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, _ := w.cached(t)
		w.Fail("GetClient", store.ErrUnavailable)
		if l := w.lookUp(t, c, "a"); !l.Cached {
			t.Errorf("%+v", l)
		}
		_, err := c.Get(t.Context(), "b")
		refused(t, "not cached", err, apierr.Unavailable)
		_, err = c.Reread(t.Context(), "a", w.lookUp(t, c, "a"))
		refused(t, "read again", err, apierr.Unavailable)
	})
}

// Invariant 7: a token that carries the mark is void after a later change, and
// not because of an earlier one.
func TestMarkIsWhatATokenCarries(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, _ := w.cached(t)
		w.tell(t, store.EntryVoid, "a")
		for _, l := range []Lookup[store.Client]{w.lookUp(t, c, "a"), w.lookUp(t, c, "a")} {
			if w.dead("a", l.Mark.Position) {
				t.Errorf("void by an earlier entry: %+v", l)
			}
		}
		w.tell(t, store.EntryChange, "b")
		l := w.lookUp(t, c, "a")
		if !l.Cached || l.Mark.Position != w.feed.Position() {
			t.Errorf("a record from memory is current now: %+v", l)
		}
		w.tell(t, store.EntryVoid, "a")
		if !w.dead("a", l.Mark.Position) {
			t.Errorf("not void by a later entry: %+v", l)
		}
	})
}

// Invariant 8: that there is no such record is not cached.
func TestAbsenceIsNotCached(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, _ := w.cached(t)
		for range 2 {
			if l := w.lookUp(t, c, "b"); l.Record != nil || l.Cached {
				t.Errorf("%+v", l)
			}
		}
		w.add(t, "b") // by another replica, whose entry is on its way
		if l := w.lookUp(t, c, "b"); l.Record == nil {
			t.Error("a record that was written is not found")
		}
		if err := w.Store.Clients().Delete(t.Context(), "a", w.stored(t, "a").Version); err != nil {
			t.Fatal(err)
		}
		l, err := c.Reread(t.Context(), "a", w.lookUp(t, c, "a"))
		if err != nil || l.Record != nil || l.Mark.Position != w.feed.Position() {
			t.Errorf("%+v, %v", l, err)
		}
		if l := w.lookUp(t, c, "a"); l.Record != nil {
			t.Errorf("a record that is known to be gone is used from memory: %+v", l)
		}
	})
}

// Invariant 8: what is refused is read from the store first.
func TestReread(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, reads := w.cached(t)
		s := w.stored(t, "a")
		s.Name = "second" // by another replica, whose entry is on its way
		if err := w.Store.Clients().Update(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		l, err := c.Reread(t.Context(), "a", w.lookUp(t, c, "a"))
		if err != nil || l.Record.Name != "second" || l.Cached || reads() != 1 {
			t.Errorf("%d reads: %+v, %v", reads(), l, err)
		}
		if l, err = c.Reread(t.Context(), "a", l); err != nil || reads() != 1 {
			t.Errorf("what was just read is read again: %d reads: %+v, %v", reads(), l, err)
		}
		if l := w.lookUp(t, c, "a"); !l.Cached || l.Record.Name != "second" {
			t.Errorf("what was read is not used: %+v", l)
		}
	})
}

// All who wait share one read, which begins after the last of them has come.
func TestRereadIsShared(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, reads := w.cached(t)
		found := w.lookUp(t, c, "a")
		_, release := w.Block("GetClient")
		var all sync.WaitGroup
		rereads := func(n int, want string) {
			for range n {
				all.Go(func() {
					l, err := c.Reread(t.Context(), "a", found)
					if err != nil || l.Record.Name != want {
						t.Errorf("%+v, %v; want %s", l.Record, err, want)
					}
				})
			}
			synctest.Wait()
		}
		rereads(1, "second") // its read is held back before the store
		rereads(100, "second")
		w.rename(t, "a", "second")
		release()
		all.Wait()
		if n := reads(); n != 2 {
			t.Errorf("%d reads for the first and those who came after it, want 2", n)
		}
	})
}

// A caller that leaves gets an error, and the others get the record.
func TestRereadOutlivesACaller(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, _ := w.cached(t)
		found := w.lookUp(t, c, "a")
		_, release := w.Block("GetClient")
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, err := c.Reread(ctx, "a", found)
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("who left: %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			l, err := c.Reread(t.Context(), "a", found)
			if err != nil || l.Record == nil {
				t.Errorf("who waited: %+v, %v", l, err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		release()
		all.Wait()
	})
}

// The caller's id may be a part of a request that holds a secret: no cache
// keeps it alive.
func TestCacheKeepsNoRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, _ := w.cached(t)
		w.tell(t, store.EntryVoid, "a")
		request := strings.Repeat("a:the secret", 2)
		id := request[:1]
		w.lookUp(t, c, id)
		for key, e := range c.entries.cache.All() {
			if unsafe.StringData(key) == unsafe.StringData(id) || unsafe.StringData(e.record.(*store.Client).ID) == unsafe.StringData(id) {
				t.Error("the cache keeps the caller's id")
			}
		}
		late := &lateStore{Clients: w.Clients()}
		shared := NewCache(store.ClientKind, late, w.feed)
		late.between = func(read string) {
			if unsafe.StringData(read) == unsafe.StringData(id) {
				t.Error("a read that others share keeps the caller's id")
			}
		}
		if _, err := shared.Reread(t.Context(), id, Lookup[store.Client]{Cached: true}); err != nil {
			t.Error(err)
		}
	})
}
