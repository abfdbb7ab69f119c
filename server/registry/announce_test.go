package registry

import (
	"testing"

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
		{"the flag could not be removed", func(w *world) { w.failAt("UpdateClient", 2) }, ""},
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
