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
	store.Kind[R]
	role func(store.Store) store.Records[R]
	of   string // begins the ids of records that belong to another; "": they belong to none

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
	store.ClientKind, store.Store.Clients, "",
	plainClient, fullClient,
	func(c *store.Client) {
		for i := range 5000 {
			c.Scopes = append(c.Scopes, fmt.Sprintf("scope:%d:%s", i, strings.Repeat("x", 40)))
		}
	},
	func(c *store.Client) parts { return parts{c.ID, &c.Version, &c.Name} },
}

var orgRecords = records[store.Org]{
	store.OrgKind, store.Store.Orgs, "",
	plainOrg, fullOrg,
	func(o *store.Org) { o.Name = strings.Repeat("Ünion ", 30_000) },
	func(o *store.Org) parts { return parts{o.ID, &o.Version, &o.Name} },
}

var customerRecords = records[store.Customer]{
	store.CustomerKind, store.Store.Customers, "",
	plainCustomer, fullCustomer,
	func(c *store.Customer) {
		for i := range 4000 {
			c.AuthorizedUsers = append(c.AuthorizedUsers, store.AuthorizedUser{Name: fmt.Sprint("user ", i), Phone: "+15555550136"})
		}
	},
	func(c *store.Customer) parts { return parts{c.ID, &c.Version, &c.Phone} },
}

var partnerRecords = records[store.Partner]{
	store.PartnerKind, store.Store.Partners, "",
	plainPartner, fullPartner,
	func(p *store.Partner) {
		for i := range 800 {
			p.Tokens = append(p.Tokens, store.PartnerToken{ID: fmt.Sprint(i), Name: strings.Repeat("reporting ", 20)})
		}
	},
	func(p *store.Partner) parts { return parts{p.ID, &p.Version, &p.Name} },
}

var partnerTokenRecords = records[store.PartnerTokenOwner]{
	store.PartnerTokenKind, store.Store.PartnerTokens, "",
	plainPartnerToken, plainPartnerToken,
	func(o *store.PartnerTokenOwner) { o.PartnerID = strings.Repeat("acme", 50_000) },
	func(o *store.PartnerTokenOwner) parts { return parts{o.ID, &o.Version, &o.PartnerID} },
}

var grantRecords = records[store.Grant]{
	store.GrantKind, store.Store.Grants, "acme/",
	plainGrant, fullGrant,
	func(g *store.Grant) {
		for i := range 4000 {
			g.Endpoints = append(g.Endpoints, fmt.Sprintf("GET /customers/{id}/accounts/%d/statements", i))
		}
	},
	func(g *store.Grant) parts { return parts{g.ID(), &g.Version, &g.Scopes[0]} },
}

func (k records[R]) create(s store.Store, ctx context.Context, r R) error {
	return k.role(s).Create(ctx, r)
}

func (k records[R]) get(s store.Store, ctx context.Context, id string) (R, error) {
	return k.role(s).Get(ctx, k.of+id)
}

func (k records[R]) update(s store.Store, ctx context.Context, r R) error {
	return k.role(s).Update(ctx, r)
}

func (k records[R]) remove(s store.Store, ctx context.Context, id string, version uint64) error {
	return k.role(s).Delete(ctx, k.of+id, version)
}

// list answers up to limit records after the one of that id.
func (k records[R]) list(s store.Store, ctx context.Context, after string, limit int) ([]R, error) {
	p := store.Page{Owner: strings.TrimSuffix(k.of, "/"), Limit: limit}
	if after != "" {
		p.After = k.of + after
	}
	return k.role(s).List(ctx, p)
}

// id is the record's own, without that of the record it belongs to.
func (k records[R]) id(r R) string { return strings.TrimPrefix(k.parts(&r).id, k.of) }

func (k records[R]) version(r R) uint64 { return *k.parts(&r).version }

// at answers r as it is stored in that version.
func (k records[R]) at(version uint64, r R) R {
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
