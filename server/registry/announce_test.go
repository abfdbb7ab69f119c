package registry

import (
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// Invariant 4: a change that ends tokens voids them, and nothing is left in
// the record.
func TestNarrowingVoids(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		start := w.feed.Position()
		c, err := w.clients.Change(t.Context(), narrowing(w, "a", "second"))
		refused(t, "a narrowing", err, "")
		same(t, "feed", w.told(t, start), "void client:a")
		if !w.dead("a", start) || w.dead("a", w.feed.Position()) || w.dead("b", start) {
			t.Error("not exactly the tokens of before are void")
		}
		if s := w.stored(t, "a"); s.Unannounced || !s.UnannouncedSince.IsZero() || s.Version != c.Version {
			t.Errorf("stored %+v, returned %+v", s, c)
		}
	})
}

// Invariant 4: if the feed was not told, the next change tells it, whatever
// that change is about.
func TestUnannouncedChangeIsAnnouncedByTheNext(t *testing.T) {
	unchanged := func(w *world) Step[store.Client] {
		st := to(w, "a", "")
		st.Edit = func(*store.Client) error { return ErrUnchanged }
		return st
	}
	for _, row := range []struct {
		rule string
		next func(w *world) Step[store.Client]
	}{
		{"another name", func(w *world) Step[store.Client] { return to(w, "a", "third") }},
		{"the same call again, which changes nothing", unchanged},
		{"a change that tells nobody", func(w *world) Step[store.Client] {
			st := to(w, "a", "third")
			st.Entries = nil
			return st
		}},
	} {
		t.Run(row.rule, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.add(t, "a")
				start := w.feed.Position()
				w.Fail("AppendFeed", store.ErrUnavailable)
				_, err := w.clients.Change(t.Context(), narrowing(w, "a", "second"))
				refused(t, "without the feed", err, apierr.Unavailable)
				if c := w.stored(t, "a"); !c.Unannounced || c.UnannouncedSince != start || c.Name != "second" {
					t.Errorf("the record that was not announced: %+v", c)
				}
				_, err = w.clients.Change(t.Context(), row.next(w))
				refused(t, "still without the feed", err, apierr.Unavailable)
				w.Heal("AppendFeed")

				_, err = w.clients.Change(t.Context(), row.next(w))
				refused(t, row.rule, err, "")
				if !w.dead("a", start) {
					t.Error("the tokens of before are not void")
				}
				if c := w.stored(t, "a"); c.Unannounced || !c.UnannouncedSince.IsZero() {
					t.Errorf("the record is still flagged: %+v", c)
				}
			})
		})
	}
}

// Invariant 4: a void that the feed holds is not appended twice. Tokens that
// were made since then stay valid.
func TestAnnouncedChangeIsNotAnnouncedAgain(t *testing.T) {
	for _, row := range []struct {
		rule string
		fail func(w *world)
		code apierr.Code
	}{
		{"the flag could not be removed", func(w *world) { w.Fail("RestoreClient", store.ErrUnavailable) }, ""},
		{"the feed's reply was lost", func(w *world) { w.FailAfter("AppendFeed", store.ErrUnavailable) }, apierr.Unavailable},
	} {
		t.Run(row.rule, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.add(t, "a")
				before := w.feed.Position()
				row.fail(w)
				_, err := w.clients.Change(t.Context(), narrowing(w, "a", "second"))
				refused(t, row.rule, err, row.code)
				w.Heal("AppendFeed")
				w.Heal("RestoreClient")
				w.tell(t, store.EntryChange, "b") // this replica follows the feed
				if c := w.stored(t, "a"); !c.Unannounced || !w.dead("a", before) {
					t.Fatalf("stored: %+v; void: %v", c, w.dead("a", before))
				}

				minted := w.feed.Position()
				_, err = w.clients.Change(t.Context(), to(w, "a", "third"))
				refused(t, "the next change", err, "")
				same(t, "feed", w.told(t, minted), "change client:a")
				if c := w.stored(t, "a"); c.Unannounced || !c.UnannouncedSince.IsZero() || w.dead("a", minted) {
					t.Errorf("stored: %+v; a token made since is void: %v", c, w.dead("a", minted))
				}
			})
		})
	}
}

// Invariant 4: a void from before the write says nothing about it.
func TestEarlierVoidDoesNotAnnounce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		w.tell(t, store.EntryVoid, "a")
		minted := w.feed.Position()
		w.Fail("AppendFeed", store.ErrUnavailable)
		_, err := w.clients.Change(t.Context(), narrowing(w, "a", "second"))
		refused(t, "without the feed", err, apierr.Unavailable)
		w.Heal("AppendFeed")
		_, err = w.clients.Change(t.Context(), to(w, "a", "third"))
		refused(t, "the next change", err, "")
		if !w.dead("a", minted) {
			t.Error("the tokens made between the two are not void")
		}
	})
}

// A change by someone else between the void and the removal of the flag keeps
// its own flag.
func TestFlagOfSomeoneElseStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		w.Hook("AppendFeed", func() {
			w.Heal("AppendFeed")
			c := w.stored(t, "a")
			c.Name, c.UnannouncedSince = "by someone else", store.Position{Seq: 1 << 40}
			if err := w.Store.Clients().Update(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
		_, err := w.clients.Change(t.Context(), narrowing(w, "a", "second"))
		refused(t, "a narrowing", err, "")
		if c := w.stored(t, "a"); !c.Unannounced || c.Name != "by someone else" {
			t.Errorf("stored: %+v", c)
		}
	})
}

// Invariant 11: a call that repeats a change which did not reach the feed tells it,
// also if the change ended nothing.
func TestRepeatedCallTellsTheFeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		_, err := w.clients.Change(t.Context(), to(w, "a", "second"))
		refused(t, "a change", err, "")
		w.Fail("AppendFeed", store.ErrUnavailable)
		_, err = w.clients.Change(t.Context(), to(w, "a", "third"))
		refused(t, "without the feed", err, apierr.Unavailable)
		w.Heal("AppendFeed")
		again := to(w, "a", "")
		again.Edit = func(*store.Client) error { return ErrUnchanged }
		_, err = w.clients.Change(t.Context(), again)
		refused(t, "the same call again", err, "")
		if e, known := w.feed.Record(store.PrincipalClient("a")); !known || e.Version != w.stored(t, "a").Version {
			t.Errorf("the feed knows %+v, the store has %+v", e, w.stored(t, "a"))
		}
		start := w.feed.Position()
		_, err = w.clients.Change(t.Context(), again)
		refused(t, "once more", err, "")
		same(t, "feed", w.told(t, start))
	})
}

// Invariant 11: each step of a deletion says what has become of the record, and the
// feed keeps no form of it.
func TestDeletionLeavesNoForm(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		_, err := w.clients.Change(t.Context(), to(w, "a", "second"))
		refused(t, "a change", err, "")
		var during store.Entry
		w.Hook("DeleteClient", func() {
			w.Heal("DeleteClient")
			during, _ = w.feed.Record(store.PrincipalClient("a"))
		})
		version := w.stored(t, "a").Version
		refused(t, "delete", w.clients.Delete(t.Context(), by, "a", 0), "")
		after, _ := w.feed.Record(store.PrincipalClient("a"))
		if during.Version != version+1 || during.Gone || during.Form != "" || after.Version != version+2 || !after.Gone || after.Form != "" {
			t.Errorf("during the deletion %+v, afterward %+v", during, after)
		}
		next := w.first("a")
		next.Version = 3 // of a clock that is behind
		refused(t, "create", w.clients.Create(t.Context(), by, next), "")
		if s := w.stored(t, "a"); s.Version <= after.Version {
			t.Errorf("the new record has version %d, the deleted one had %d", s.Version, after.Version)
		}
	})
}

// Invariant 12: nothing is changed on a copy of the feed that is not fresh.
func TestChangeWithoutTheFeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a")
		w.Fail("ReadFeed", store.ErrUnavailable)
		w.Fail("FeedLineage", store.ErrUnavailable)
		time.Sleep(2 * staleness)
		_, err := w.clients.Change(t.Context(), to(w, "a", "second"))
		refused(t, "a change", err, apierr.Unavailable)
		refused(t, "a deletion", w.clients.Delete(t.Context(), by, "a", 0), apierr.Unavailable)
		if c := w.stored(t, "a"); c.Name != "first" || c.DeactivatedAt != nil {
			t.Errorf("%+v", c)
		}
	})
}

// A record that is held back is used again once it is released, and a hold that came
// before does not cover it anymore.
func TestRelease(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.add(t, "a")
		c.HeldBack = true
		if err := w.Store.Clients().Update(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		held, err := w.clients.Held(t.Context(), "", 10)
		if err != nil || len(held) != 1 || !held[0].Lost {
			t.Errorf("held back: %+v, %v", held, err)
		}
		for range 2 {
			refused(t, "release", w.clients.Release(t.Context(), by, "a"), "")
		}
		refused(t, "release", w.clients.Release(t.Context(), by, "nobody"), apierr.NotFound)
		if c := w.stored(t, "a"); !c.Usable() {
			t.Errorf("%+v", c)
		}
		same(t, "audit", w.audited(t), "client.release client:a done", "client.release client:nobody not_found")
	})
}
