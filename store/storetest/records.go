package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// idAlphabet is every character of an id (contract §2).
const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~=+-"

// records is one kind of versioned record, and its role of the store: the
// same is asked of all of them.
type records[R any] struct {
	create func(store.Store, context.Context, R) error
	get    func(store.Store, context.Context, string) (R, error)
	update func(store.Store, context.Context, R) error
	remove func(store.Store, context.Context, string, uint64) error
	list   func(store.Store, context.Context, string, int) ([]R, error)

	plain   func(now time.Time, id string) R // has the least it needs
	full    func(now time.Time, id string) R // has every field set
	enlarge func(*R)                         // to some 200 kB
	parts   func(*R) parts
}

// parts are what every kind has; text is one that a change may change.
type parts struct {
	id      string
	version *uint64
	text    *string
}

var clientRecords = records[store.Client]{
	store.Store.CreateClient, store.Store.GetClient, store.Store.UpdateClient, store.Store.DeleteClient, store.Store.ListClients,
	plainClient, fullClient,
	func(c *store.Client) {
		for i := range 5000 {
			c.Scopes = append(c.Scopes, fmt.Sprintf("scope:%d:%s", i, strings.Repeat("x", 40)))
		}
	},
	func(c *store.Client) parts { return parts{c.ID, &c.Version, &c.Name} },
}

var orgRecords = records[store.Org]{
	store.Store.CreateOrg, store.Store.GetOrg, store.Store.UpdateOrg, store.Store.DeleteOrg, store.Store.ListOrgs,
	plainOrg, fullOrg,
	func(o *store.Org) { o.Name = strings.Repeat("Ünion ", 30_000) },
	func(o *store.Org) parts { return parts{o.ID, &o.Version, &o.Name} },
}

var customerRecords = records[store.Customer]{
	store.Store.CreateCustomer, store.Store.GetCustomer, store.Store.UpdateCustomer, store.Store.DeleteCustomer, store.Store.ListCustomers,
	plainCustomer, fullCustomer,
	func(c *store.Customer) {
		for i := range 4000 {
			c.AuthorizedUsers = append(c.AuthorizedUsers, store.AuthorizedUser{Name: fmt.Sprint("user ", i), Phone: "+15555550136"})
		}
	},
	func(c *store.Customer) parts { return parts{c.ID, &c.Version, &c.Phone} },
}

func (k records[R]) id(r R) string { return k.parts(&r).id }

func (k records[R]) version(r R) uint64 { return *k.parts(&r).version }

// of answers r as it is stored in that version.
func (k records[R]) of(version uint64, r R) R {
	*k.parts(&r).version = version
	return r
}

// read answers a record that is there.
func (k records[R]) read(t *testing.T, s store.Store, id string) R {
	t.Helper()
	return must[R](t)(k.get(s, within(t), id))
}

// put creates a plain record for each id.
func (k records[R]) put(t *testing.T, o Opened, ids ...string) {
	t.Helper()
	for _, id := range ids {
		ok(t, k.create(o.Store, within(t), k.plain(o.Now(), id)))
	}
}

// listIDs answers the ids of all records, read in pages.
func (k records[R]) listIDs(t *testing.T, s store.Store, page int) []string {
	t.Helper()
	var ids []string
	after := ""
	for {
		list := must[[]R](t)(k.list(s, within(t), after, page))
		if len(list) > page {
			t.Fatalf("a page of %d records, limit %d", len(list), page)
		}
		for _, r := range list {
			after = k.id(r)
			ids = append(ids, after)
		}
		if len(list) < page {
			return ids
		}
	}
}
