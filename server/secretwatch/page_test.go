package secretwatch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// pages reads all pages and returns what was found, and how many pages there were.
func (w *world) pages(t *testing.T, f secretwatch.Filter, limit int) (found []string, pages int) {
	t.Helper()
	for after := ""; ; {
		list, next, err := w.kind.Page(t.Context(), w, f, after, limit, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > limit {
			t.Fatalf("%d items on a page of %d", len(list), limit)
		}
		for _, x := range list {
			found = append(found, x.Record.ID+"/"+x.ID)
		}
		pages++
		if next == "" {
			return found, pages
		}
		after = next
	}
}

func TestFilters(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		old, off, ended := client("old", 0, 0, 0), client("off", 0), client("ended", 0)
		at := time.Now()
		off.DeactivatedAt = &at
		ended.Secrets[0].Ended = true
		for _, c := range []store.Client{old, off, ended} {
			for i := range c.Secrets {
				c.Secrets[i].CreatedAt = at.Add(-100 * day)
			}
		}
		held := client("zheld", 0)
		held.HeldBack = true
		w.create(t, old, off, ended, client("new", 0, 10*day, -day), held)
		err := w.AddUses(t.Context(), []store.Use{
			{Owner: "client:old", ID: "secret00", Count: 1, LastAt: time.Now()},
			{Owner: "client:old", ID: "secret01", Count: 1, LastAt: time.Now().Add(-95 * day)},
		})
		if err != nil {
			t.Fatal(err)
		}
		ago := time.Now().Add(-90 * day)
		for name, tc := range map[string]struct {
			f    secretwatch.Filter
			want string
		}{
			"those that work":             {secretwatch.Filter{}, "new/secret00 new/secret01 old/secret00 old/secret01 old/secret02"},
			"ends soon":                   {secretwatch.Filter{EndsBefore: time.Now().Add(30 * day)}, "new/secret01"},
			"ends later":                  {secretwatch.Filter{EndsBefore: time.Now().Add(9 * day)}, ""},
			"unused, and not just made":   {secretwatch.Filter{UnusedSince: ago}, "old/secret01 old/secret02"},
			"made long ago":               {secretwatch.Filter{MadeBefore: ago}, "old/secret00 old/secret01 old/secret02"},
			"made long ago and ends soon": {secretwatch.Filter{MadeBefore: ago, EndsBefore: time.Now().Add(30 * day)}, ""},
			"of one client":               {secretwatch.Filter{Record: "old"}, "old/secret00 old/secret01 old/secret02"},
			"of no client":                {secretwatch.Filter{Record: "o"}, ""},
			"ended":                       {secretwatch.Filter{State: secretwatch.Ended}, "ended/secret00"},
			"expired":                     {secretwatch.Filter{State: secretwatch.Expired}, "new/secret02"},
			"of a deactivated client":     {secretwatch.Filter{State: secretwatch.Deactivated}, "off/secret00"},
			"all": {secretwatch.Filter{AnyState: true},
				"ended/secret00 new/secret00 new/secret01 new/secret02 off/secret00 old/secret00 old/secret01 old/secret02 zheld/secret00"},
			"held back":                        {secretwatch.Filter{State: secretwatch.HeldBack}, "zheld/secret00"},
			"of one client, or what held back": {secretwatch.Filter{Record: "zheld", OrHeldBack: true}, "zheld/secret00"},
			"unused, with what is held back":   {secretwatch.Filter{UnusedSince: ago, OrHeldBack: true}, "old/secret01 old/secret02"},
		} {
			for _, limit := range []int{1, 2, 3, 500} {
				if got, _ := w.pages(t, tc.f, limit); strings.Join(got, " ") != tc.want {
					t.Errorf("%s, %d a page: %v; want %s", name, limit, got, tc.want)
				}
			}
		}
	})
}

// A page that ended inside a client that is gone goes on with the next client.
func TestPageAfterADeletion(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, client("a", 0, 0), client("b", 0))
		_, next, err := w.kind.Page(t.Context(), w, secretwatch.Filter{}, "", 1, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Clients().Delete(t.Context(), "a", 1); err != nil {
			t.Fatal(err)
		}
		list, next, err := w.kind.Page(t.Context(), w, secretwatch.Filter{}, next, 1, time.Now())
		if err != nil || len(list) != 1 || list[0].Record.ID != "b" {
			t.Errorf("%v, %q, %v", list, next, err)
		}
	})
}

// A call reads a bounded number of records, however few the filter selects.
func TestPageIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("writes many records")
	}
	inWorld(t, func(t *testing.T, w *world) {
		const clients = 10_300
		items := make([]store.Item, 0, clients)
		for i := range clients {
			c := client(fmt.Sprintf("c%05d", i), 0)
			c.Version = 1
			form, err := store.ClientKind.EncodeNew(c)
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, store.Item{Section: store.SectionClients, Key: c.ID, Form: form.Form})
		}
		if err := w.Load(t.Context(), items...); err != nil {
			t.Fatal(err)
		}
		w.create(t, client("last", day))
		f := secretwatch.Filter{EndsBefore: time.Now().Add(7 * day)}
		if got, pages := w.pages(t, f, 50); strings.Join(got, " ") != "last/secret00" || pages != 2 {
			t.Errorf("%v in %d pages", got, pages)
		}
	})
}
