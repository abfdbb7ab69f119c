package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// idAlphabet is every character that an id may have.
const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~=+-"

// records is one kind of versioned record, with its role in the store. All kinds
// pass the same checks.
type records[R any] struct {
	store.Kind[R]
	role  func(store.Store) store.Records[R]
	owner string // the start of every id, with the '/'; "": records of this kind have no owner

	plain   func(now time.Time, id string) R // returns a record with only the required fields
	full    func(now time.Time, id string) R // returns a record with every field set
	enlarge func(*R)                         // makes the record about 200 kB large
	parts   func(*R) parts
}

// parts are the fields that every kind has. text is one that a test may change.
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

var apiKeyRecords = records[store.APIKey]{
	store.APIKeyKind, store.Store.APIKeys, "",
	plainAPIKey, fullAPIKey,
	func(k *store.APIKey) {
		for i := range 4000 {
			k.Resources = append(k.Resources, store.Resource{Type: fmt.Sprint("type", i), IDs: []string{strings.Repeat("1", 40)}})
		}
	},
	func(k *store.APIKey) parts { return parts{k.ID, &k.Version, &k.Name} },
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

// There is at most one hold in a store, but the role does not know that.
var holdRecords = records[store.Hold]{
	store.HoldKind, store.Store.Holds, "",
	plainHold, fullHold,
	func(h *store.Hold) { h.Incarnation = strings.Repeat("run ", 50_000) },
	func(h *store.Hold) parts { return parts{h.ID, &h.Version, &h.Incarnation} },
}

// There is at most one queue in a store, but the role does not know that.
var noticeRecords = records[store.NoticeQueue]{
	store.NoticeQueueKind, store.Store.NoticeQueues, "",
	plainNotices, fullNotices,
	func(q *store.NoticeQueue) { q.Holder = strings.Repeat("run ", 50_000) },
	func(q *store.NoticeQueue) parts { return parts{q.ID, &q.Version, &q.Holder} },
}

// There is at most one record of signing keys in a store, but the role does not know
// that.
var signingRecords = records[store.SigningKeys]{
	store.SigningKeysKind, store.Store.SigningKeys, "",
	plainSigningKeys, fullSigningKeys,
	func(k *store.SigningKeys) {
		for i := range 2000 {
			k.Keys = append(k.Keys, store.SigningKey{ID: fmt.Sprint(i), Private: []byte(strings.Repeat("x", 32))})
		}
	},
	func(k *store.SigningKeys) parts { return parts{k.ID, &k.Version, &k.Keys[0].ID} },
}

func (k records[R]) create(s store.Store, ctx context.Context, r R) error {
	return k.role(s).Create(ctx, r)
}

func (k records[R]) get(s store.Store, ctx context.Context, id string) (R, error) {
	return k.role(s).Get(ctx, k.owner+id)
}

func (k records[R]) update(s store.Store, ctx context.Context, r R) error {
	return k.role(s).Update(ctx, r)
}

func (k records[R]) restore(s store.Store, ctx context.Context, r R, replaces uint64) error {
	return k.role(s).Restore(ctx, r, replaces)
}

func (k records[R]) remove(s store.Store, ctx context.Context, id string, version uint64) error {
	return k.role(s).Delete(ctx, k.owner+id, version)
}

// list returns up to limit records after the id.
func (k records[R]) list(s store.Store, ctx context.Context, after string, limit int) ([]R, error) {
	p := store.Page{Owner: strings.TrimSuffix(k.owner, "/"), Limit: limit}
	if after != "" {
		p.After = k.owner + after
	}
	return k.role(s).List(ctx, p)
}

// id returns the record's id without its owner.
func (k records[R]) id(r R) string { return strings.TrimPrefix(k.parts(&r).id, k.owner) }

func (k records[R]) version(r R) uint64 { return *k.parts(&r).version }

// withVersion returns r with the version.
func (k records[R]) withVersion(version uint64, r R) R {
	*k.parts(&r).version = version
	return r
}

// read returns a record that must exist.
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

// listIDs returns the ids of all records, read in pages.
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
