package apikeys

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

var operator = audit.Actor{Name: "uid:0"}

const day = 24 * time.Hour

// world is a Service and the tokens that its keys are, over an embedded store that
// can fail, with a clock that tests move. It has the orgs acme and other.
type world struct {
	*Service
	tokens    *tokens.Service
	store     *storetest.Faulty
	feed      *feed.Feed
	clock     *storetest.Clock
	log       *slog.Logger
	catalogue *scopes.Catalogue
	reads     atomic.Int64 // of keys and orgs
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: storetest.NewClock(), catalogue: scopes.Default()}
	inner, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	w.store = storetest.NewFaulty(inner)
	log := slog.New(slog.DiscardHandler)
	w.log = log
	w.feed = feed.New(feed.Options{Store: w.store, MaxStaleness: time.Minute, Now: w.clock.Now, Log: log})
	if err := w.feed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.feed.Stop)
	ring := tokens.NewKeyring("gt_sandbox_")
	if err := ring.Use([]store.TokenKey{ring.Offer(w.clock.Now())}); err != nil {
		t.Fatal(err)
	}
	orgs := registry.NewCache(store.OrgKind, w.store.Orgs(), w.feed)
	w.tokens = tokens.New(tokens.Options{
		Environment: "sandbox", Issuer: func() string { return "https://grantd.example.com" }, Store: w.store, Clients: w.store.Clients(), Feed: w.feed, Keys: ring,
		Partners:      registry.NewCache(store.PartnerKind, w.store.Partners(), w.feed),
		PartnerTokens: registry.NewCache(store.PartnerTokenKind, w.store.PartnerTokens(), w.feed),
		APIKeys:       registry.NewCache(store.APIKeyKind, w.store.APIKeys(), w.feed),
		Orgs:          orgs,
		Catalogue:     func() *scopes.Catalogue { return w.catalogue }, CacheSize: 100, Now: w.clock.Now,
	})
	w.Service = New(Options{
		Store: w.store.APIKeys(), Orgs: w.store.Orgs(), OrgRecords: orgs, Uses: w.store, Credentials: w.tokens,
		Catalogue: func() *scopes.Catalogue { return w.catalogue }, Feed: w.feed,
		Audit: &audit.Log{Store: w.store, Now: w.clock.Now, Log: log}, Now: w.clock.Now,
	})
	w.putOrg(t, "acme")
	w.putOrg(t, "other")
	w.store.Hook("GetAPIKey", func() { w.reads.Add(1) })
	w.store.Hook("GetOrg", func() { w.reads.Add(1) })
	return w
}

// putOrg makes an org, in place of one that had its id.
func (w *world) putOrg(t *testing.T, id string) {
	t.Helper()
	if o, err := w.store.Orgs().Get(t.Context(), id); err == nil {
		if err := w.store.Orgs().Delete(t.Context(), id, o.Version); err != nil {
			t.Fatal(err)
		}
	}
	o := store.Org{ID: id, Name: "Acme", Incarnation: registry.NewIncarnation(), Head: store.Head{CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(), Version: 1}}
	if err := w.store.Orgs().Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w.tell(t, store.PrincipalOrg(id))
}

// tell says in the feed that the record has changed.
func (w *world) tell(t *testing.T, key string) {
	t.Helper()
	if err := w.feed.Append(t.Context(), store.Entry{Kind: store.EntryChange, Key: key, By: "test"}); err != nil {
		t.Fatal(err)
	}
}

// changeOrg changes the org as another replica would.
func (w *world) changeOrg(t *testing.T, id string, edit func(*store.Org)) {
	t.Helper()
	o, err := w.store.Orgs().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	edit(&o)
	if err := w.store.Orgs().Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w.tell(t, store.PrincipalOrg(id))
}

// key makes a key of acme, which edit may change.
func (w *world) key(t *testing.T, edit func(*Spec)) Created {
	t.Helper()
	s := Spec{Owner: "2", Name: "report", Scope: "cards"}
	if edit != nil {
		edit(&s)
	}
	c, err := w.Create(t.Context(), operator, "acme", s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) find(t *testing.T, presented string) tokens.Found {
	t.Helper()
	f, err := w.tokens.Find(t.Context(), presented)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// works checks whether the key is active.
func (w *world) works(t *testing.T, when, key string, want bool) {
	t.Helper()
	if got := w.find(t, key).Token != nil; got != want {
		t.Errorf("%s: active %v, want %v", when, got, want)
	}
}

// bearer returns the token of a client of the org, with all scopes of the catalogue.
func (w *world) bearer(org string) bearer {
	return bearer{
		token: &store.Token{Use: store.UseClient, ClientID: "backend", SecretID: "Ab3dEf7h", OrgID: org, Scopes: "cards customers api-tokens api-tokens-write", Position: w.feed.Position()},
		found: tokens.Found{Digest: store.Digest{1}, Mark: feed.Mark{Position: w.feed.Position()}}, actor: audit.Actor{Name: "client:backend"},
	}
}

// wants checks that err is nil, or that it has the code and member.
func wants(t *testing.T, rule string, err error, code apierr.Code, member string) {
	t.Helper()
	var e *apierr.Error
	switch {
	case err == nil && code == "":
	case !errors.As(err, &e) || e.Code != code || e.Field != member:
		t.Errorf("%s: error %v, want %q of %q", rule, err, code, member)
	}
}

func ptr[T any](v T) *T { return &v }

var anywhere = netip.Addr{}
