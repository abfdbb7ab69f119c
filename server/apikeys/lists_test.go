package apikeys

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// states returns the state of each key of acme that the filter selects, by name.
func (w *world) states(t *testing.T, f Filter) map[string]secretwatch.State {
	t.Helper()
	f.Group = "acme"
	list, _, err := w.List(t.Context(), f, "", 10)
	wants(t, "list", err, "", "")
	states := map[string]secretwatch.State{}
	for _, k := range list {
		states[k.Name] = k.State
		record, err := w.Registry.Get(t.Context(), k.ID)
		wants(t, "get", err, "", "")
		if v, err := w.Show(t.Context(), record); err != nil || v.State != k.State {
			t.Errorf("key %s is %s in a list, and %s by itself (%v)", k.Name, k.State, v.State, err)
		}
	}
	return states
}

// wantStates checks the keys of acme that the filter selects.
func (w *world) wantStates(t *testing.T, rule string, f Filter, want map[string]secretwatch.State) {
	t.Helper()
	if d := cmp.Diff(want, w.states(t, f)); d != "" {
		t.Errorf("%s (-want +got):\n%s", rule, d)
	}
}

func named(name string) func(*Spec) { return func(s *Spec) { s.Name = name } }

var allKeys = Filter{Filter: secretwatch.Filter{AnyState: true}}

// A list shows each change of the org at once, as introspection does.
func TestListAfterChangesOfTheOrg(t *testing.T) {
	w := newWorld(t)
	old := w.key(t, named("old"))
	w.wantStates(t, "at first", Filter{}, map[string]secretwatch.State{"old": secretwatch.Active})
	w.changeOrg(t, "acme", func(o *store.Org) {
		o.KeyEpoch++
		o.KeysEndedAt, o.KeysEndedBy = ptr(w.clock.Now()), "uid:7"
	})
	w.wantStates(t, "after the keys of the org were ended", Filter{}, map[string]secretwatch.State{})
	w.wantStates(t, "after the keys of the org were ended, all", allKeys, map[string]secretwatch.State{"old": secretwatch.Ended})
	w.works(t, "the old key", old.Key, false)
	made := w.key(t, named("new"))
	w.works(t, "the new key", made.Key, true)
	w.wantStates(t, "with a new key", allKeys, map[string]secretwatch.State{"old": secretwatch.Ended, "new": secretwatch.Active})
}

// One org is read once for a list, even if no cache keeps it.
func TestListReadsAnOrgOnce(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.key(t, nil)
	}
	w.changeOrg(t, "acme", func(o *store.Org) { o.HeldBack = true })
	before := w.reads.Load()
	if _, _, err := w.List(t.Context(), Filter{}, "", 10); err != nil || w.reads.Load()-before > 1 {
		t.Errorf("%d reads, error %v", w.reads.Load()-before, err)
	}
}

// What is held back is listed without a filter, under the name that the explanation of
// a token has. What ended before is not held back.
func TestListHeldBack(t *testing.T) {
	w := newWorld(t)
	works := w.key(t, named("works"))
	revoked := w.key(t, named("revoked"))
	wants(t, "revoke", w.Revoke(t.Context(), operator, revoked.ID), "", "")
	w.key(t, func(s *Spec) { s.Name, s.Lifetime = "expired", ptr("1m") })
	w.clock.Advance(2 * day)
	w.changeOrg(t, "acme", func(o *store.Org) { o.HeldBack = true })
	_, err := w.Rotate(t.Context(), operator, works.ID, 0)
	wants(t, "rotate", err, apierr.Conflict, "")
	if err == nil || !strings.Contains(err.Error(), "the org is held back") {
		t.Errorf("rotation of a key that is held back: %v", err)
	}
	held := map[string]secretwatch.State{"works": secretwatch.HeldBack}
	w.wantStates(t, "without a filter", Filter{Filter: secretwatch.Filter{OrHeldBack: true}}, held)
	w.wantStates(t, "that work", Filter{}, map[string]secretwatch.State{})
	w.wantStates(t, "held back", Filter{Filter: secretwatch.Filter{State: secretwatch.HeldBack}}, held)
	w.wantStates(t, "all", allKeys, map[string]secretwatch.State{"works": secretwatch.HeldBack, "revoked": secretwatch.Ended, "expired": secretwatch.Expired})
	w.changeOrg(t, "acme", func(o *store.Org) { o.DeactivatedAt = ptr(w.clock.Now()) })
	if got := w.states(t, allKeys)["works"]; got != secretwatch.Ended {
		t.Errorf("a key of a deactivated org is %s", got)
	}
	if slices.Contains(secretwatch.KeyStates, secretwatch.Deactivated) {
		t.Error("a state that no key has is one of a key")
	}
}
