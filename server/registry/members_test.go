package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// ofAcme selects the clients whose id begins with a.
func ofAcme(c *store.Client) bool { return strings.HasPrefix(c.ID, "a") }

// RemoveMembers removes the records that belong, page by page, and stops after
// some seconds with the id to go on after.
func TestRemoveMembers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const members = 2*listPage + 7
		for i := range members {
			w.add(t, fmt.Sprintf("a%05d", i))
			if i%100 == 0 {
				w.add(t, fmt.Sprintf("b%05d", i))
			}
		}
		if n, err := w.clients.CountMembers(t.Context(), "", ofAcme, 10); n != 10 || err != nil {
			t.Errorf("counted %d, %v; want the limit", n, err)
		}
		if n, err := w.clients.CountMembers(t.Context(), "", ofAcme, 10_000); n != members || err != nil {
			t.Errorf("counted %d, %v; want %d", n, err, members)
		}
		position := w.feed.Position()
		w.Hook("DeleteClient", func() { time.Sleep(removeTime * removeAtOnce / listPage) })
		var removed, calls int
		for next := ""; calls == 0 || next != ""; calls++ {
			var n int
			var err error
			if n, next, err = w.clients.RemoveMembers(t.Context(), by, "", next, ofAcme); err != nil {
				t.Fatal(err)
			}
			removed += n
		}
		if removed != members || calls != 3 {
			t.Errorf("%d removed in %d calls, want %d in 3", removed, calls, members)
		}
		if n, err := w.clients.CountMembers(t.Context(), "", ofAcme, 1); n != 0 || err != nil {
			t.Errorf("%d are left, %v", n, err)
		}
		if left, err := w.Store.Clients().List(t.Context(), store.Page{Limit: 100}); err != nil || len(left) != 11 {
			t.Errorf("%d others are left, %v", len(left), err)
		}
		if told := w.told(t, position); len(told) < listPage || told[0] != "void client:a00000" {
			t.Errorf("told %d entries", len(told))
		}
	})
}

// A record that somebody changes at the same time stays if it does not belong
// anymore, and is otherwise removed as it is now. A failure is reported.
func TestRemoveMembersAgainstOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a1")
		named := func(c *store.Client) bool { return c.Name == "first" }
		for _, row := range []struct {
			belongs func(*store.Client) bool
			want    int
		}{{named, 0}, {ofAcme, 1}} {
			w.Hook("DeleteClient", func() {
				w.Heal("DeleteClient")
				w.rename(t, "a1", "second")
			})
			if n, _, err := w.clients.RemoveMembers(t.Context(), by, "", "", row.belongs); n != row.want || err != nil {
				t.Errorf("%d removed, %v", n, err)
			}
		}
		w.add(t, "a2")
		w.Fail("DeleteClient", store.ErrUnavailable)
		if n, _, err := w.clients.RemoveMembers(t.Context(), by, "", "", ofAcme); n != 0 || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%d removed, %v", n, err)
		}
	})
}

// A record that somebody changes each time is neither removed nor reported and
// audited as removed.
func TestRemoveMembersConflict(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.add(t, "a1")
		w.Hook("DeleteClient", func() { w.rename(t, "a1", "again") })
		n, _, err := w.clients.RemoveMembers(t.Context(), by, "", "", ofAcme)
		refused(t, "changed each time", err, apierr.Conflict)
		if calls := w.Calls("DeleteClient"); n != 0 || calls != casTries {
			t.Errorf("%d removed in %d tries", n, calls)
		}
		w.stored(t, "a1")
		same(t, "audited", w.audited(t))
		w.Heal("DeleteClient")
		if n, _, err := w.clients.RemoveMembers(t.Context(), by, "", "", ofAcme); n != 1 || err != nil {
			t.Errorf("without changes: %d removed, %v", n, err)
		}
	})
}
