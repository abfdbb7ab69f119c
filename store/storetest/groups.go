package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/grantd/grantd/store"
)

func groupChecks() []check {
	return []check{
		{"ListOfOneGroup", listOfGroup},
		{"ListOfOneGroupAfterReopening", reopenedGroup},
		{"CreateAndDelete", groupChanges},
		{"CreateAgainInAnotherGroup", groupMoves},
		{"Restore", groupRestored},
		{"LoadAndClear", groupCopies},
		{"IndexWhileOthersWrite", groupsAtOnce},
		{"KeysOfOneOrg", groupOfKeys},
		{"KindsWithoutGroups", noGroups},
	}
}

func customerOf(o Opened, org, id string) store.Customer {
	c := plainCustomer(o.Now(), id)
	c.OrgID = org
	return c
}

func addCustomers(t *testing.T, o Opened, org string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		ok(t, o.Store.Customers().Create(within(t), customerOf(o, org, id)))
	}
}

// idsOf returns the ids of the org's customers, read in pages.
func idsOf(t *testing.T, s store.Store, org string, page int) []string {
	t.Helper()
	ids := []string{}
	for p := (store.Page{Group: org, Limit: page}); ; {
		list := must[[]store.Customer](t)(s.Customers().List(within(t), p))
		if len(list) > page {
			t.Fatalf("a page of %d records, limit %d", len(list), page)
		}
		for _, c := range list {
			same(t, "org of "+c.ID, c.OrgID, org)
			p.After = c.ID
			ids = append(ids, c.ID)
		}
		if len(list) < page {
			return ids
		}
	}
}

// bothWays runs what checks lists of groups without the index, and with it.
func bothWays(t *testing.T, o Opened, lists func(way string)) {
	t.Helper()
	lists("without the index: ")
	_, err := o.Store.IndexGroups(within(t))
	ok(t, err)
	lists("with the index: ")
}

// listOfGroup: a list of one org's customers is complete, and holds none of an org
// with a similar id.
func listOfGroup(t *testing.T, o Opened) {
	orgs := []string{"a", "a-b", "a0", "aa", "A", "b", "~", "h5D8B5gyHtk="}
	want := map[string][]string{"c": {}, "a~": {}}
	for i := range 7 {
		for _, org := range orgs {
			id := fmt.Sprintf("%d-%s", i, org)
			want[org] = append(want[org], id)
			addCustomers(t, o, org, id)
		}
	}
	bothWays(t, o, func(way string) {
		for org, ids := range want {
			for _, page := range []int{1, 3, 7, 100} {
				same(t, fmt.Sprint(way, org, " in pages of ", page), idsOf(t, o.Store, org, page), ids)
			}
		}
		p := store.Page{Group: "a", After: "3", Limit: 1} // no id
		got := must[[]store.Customer](t)(o.Store.Customers().List(within(t), p))
		same(t, way+"after an id that is missing", got, []store.Customer{customerOf(o, "a", "3-a")})
		p.Limit = 0
		same(t, way+"limit 0", len(must[[]store.Customer](t)(o.Store.Customers().List(within(t), p))), 0)
		same(t, way+"all", len(customerRecords.listIDs(t, o.Store, 50)), 7*len(orgs))
	})
}

func reopenedGroup(t *testing.T, o Opened) {
	addCustomers(t, o, "a", "1", "2")
	_, err := o.Store.IndexGroups(within(t))
	ok(t, err)
	same(t, "a", idsOf(t, o.Reopen(), "a", 10), []string{"1", "2"})
}

func groupChanges(t *testing.T, o Opened) {
	addCustomers(t, o, "a", "1", "2", "3")
	bothWays(t, o, func(way string) {
		same(t, way+"at first", idsOf(t, o.Store, "a", 2), []string{"1", "2", "3"})
		wants(t, "create", o.Store.Customers().Create(within(t), customerOf(o, "b", "1")), store.ErrExists)
		wants(t, "delete", o.Store.Customers().Delete(within(t), "1", 9), store.ErrConflict)
		wants(t, "delete", o.Store.Customers().Delete(within(t), "9", 1), store.ErrNotFound)
		same(t, way+"of a refused creation", idsOf(t, o.Store, "b", 2), []string{})
		ok(t, o.Store.Customers().Delete(within(t), "2", 1))
		same(t, way+"one deleted", idsOf(t, o.Store, "a", 2), []string{"1", "3"})
		addCustomers(t, o, "a", "2")
		ok(t, o.Store.Customers().Update(within(t), customerOf(o, "a", "3")))
		same(t, way+"created again", idsOf(t, o.Store, "a", 2), []string{"1", "2", "3"})
		ok(t, o.Store.Customers().Delete(within(t), "3", 2))
		addCustomers(t, o, "a", "3")
	})
}

// groupOfKeys: API keys have an index of groups too.
func groupOfKeys(t *testing.T, o Opened) {
	for id, org := range map[string]string{"1": "a", "2": "b", "3": "a", "4": "a-b"} {
		k := plainAPIKey(o.Now(), id)
		k.OrgID = org
		ok(t, o.Store.APIKeys().Create(within(t), k))
	}
	bothWays(t, o, func(way string) {
		for org, want := range map[string][]string{"a": {"1", "3"}, "b": {"2"}, "c": nil} {
			var ids []string
			for _, k := range must[[]store.APIKey](t)(o.Store.APIKeys().List(within(t), store.Page{Group: org, Limit: 9})) {
				ids = append(ids, k.ID)
			}
			same(t, way+org, ids, want)
		}
	})
	ok(t, o.Store.APIKeys().Delete(within(t), "1", 1))
	same(t, "after a deletion", len(must[[]store.APIKey](t)(o.Store.APIKeys().List(within(t), store.Page{Group: "a", Limit: 9}))), 1)
}

func groupMoves(t *testing.T, o Opened) {
	addCustomers(t, o, "a", "1", "2", "3")
	bothWays(t, o, func(way string) {
		ok(t, o.Store.Customers().Delete(within(t), "2", 1))
		addCustomers(t, o, "b", "2")
		same(t, way+"a", idsOf(t, o.Store, "a", 1), []string{"1", "3"})
		same(t, way+"b", idsOf(t, o.Store, "b", 1), []string{"2"})
		ok(t, o.Store.Customers().Delete(within(t), "2", 1))
		addCustomers(t, o, "a", "2")
		same(t, way+"a again", idsOf(t, o.Store, "a", 1), []string{"1", "2", "3"})
	})
}

// groupRestored: Restore may put back a customer of another org under the same id.
func groupRestored(t *testing.T, o Opened) {
	bothWays(t, o, func(way string) {
		r := customerOf(o, "a", "1")
		r.Version = 7
		ok(t, o.Store.Customers().Restore(within(t), r, 0))
		addCustomers(t, o, "a", "2")
		same(t, way+"in place of none", idsOf(t, o.Store, "a", 1), []string{"1", "2"})
		r.OrgID, r.Version = "b", 9
		ok(t, o.Store.Customers().Restore(within(t), r, 7))
		same(t, way+"a", idsOf(t, o.Store, "a", 1), []string{"2"})
		same(t, way+"b", idsOf(t, o.Store, "b", 1), []string{"1"})
		ok(t, o.Store.Customers().Delete(within(t), "1", 9))
		ok(t, o.Store.Customers().Delete(within(t), "2", 1))
		same(t, way+"deleted", idsOf(t, o.Store, "b", 1), []string{})
	})
}

func groupCopies(t *testing.T, o Opened) {
	item := func(c store.Customer) store.Item {
		c.Version = 1
		return store.Item{Section: store.SectionCustomers, Key: c.ID, Form: must[[]byte](t)(store.CustomerKind.Marshal(c))}
	}
	bothWays(t, o, func(way string) {
		ok(t, o.Store.Load(within(t), item(customerOf(o, "a", "1")), item(customerOf(o, "a", "2")), item(customerOf(o, "b", "3"))))
		same(t, way+"loaded", idsOf(t, o.Store, "a", 1), []string{"1", "2"})
		ok(t, o.Store.Load(within(t), item(customerOf(o, "b", "2"))))
		same(t, way+"replaced, a", idsOf(t, o.Store, "a", 1), []string{"1"})
		same(t, way+"replaced, b", idsOf(t, o.Store, "b", 1), []string{"2", "3"})
		ok(t, o.Store.Clear(within(t)))
		same(t, way+"cleared", idsOf(t, o.Store, "b", 1), []string{})
		addCustomers(t, o, "a", "1")
		same(t, way+"created since", idsOf(t, o.Store, "a", 1), []string{"1"})
	})
}

// groupsAtOnce: what is created and deleted while the index is completed is listed
// as it is at the end.
func groupsAtOnce(t *testing.T, o Opened) {
	const writers = 24
	var want []string
	ctx := within(t)
	for i := range writers {
		if i%2 == 0 {
			want = append(want, fmt.Sprint("c", i))
		}
	}
	slices.Sort(want)
	concurrently(writers+2, func(i int) {
		if err := changeAtOnce(ctx, o, i, writers); err != nil {
			t.Error(err)
		}
	})
	same(t, "a", idsOf(t, o.Store, "a", 5), want)
}

// changeAtOnce creates the customer i, and deletes it if i is odd.
func changeAtOnce(ctx context.Context, o Opened, i, writers int) error {
	id := fmt.Sprint("c", i)
	if i >= writers {
		_, err := o.Store.IndexGroups(ctx)
		return err
	}
	if err := o.Store.Customers().Create(ctx, customerOf(o, "a", id)); err != nil || i%2 == 0 {
		return err
	}
	return o.Store.Customers().Delete(ctx, id, 1)
}

func noGroups(t *testing.T, o Opened) {
	orgRecords.put(t, o, "a")
	bothWays(t, o, func(way string) {
		list := must[[]store.Org](t)(o.Store.Orgs().List(within(t), store.Page{Group: "a", Limit: 5}))
		same(t, way+"orgs of a group", len(list), 0)
	})
}
