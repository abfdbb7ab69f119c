package partners

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strconv"
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

// world is a Service and an OnBehalf over an embedded store that can fail, with
// a clock that tests move. It has the partner hurdlr, which may have cards and
// payments, and the org acme.
type world struct {
	*Service
	store     *storetest.Faulty
	feed      *feed.Feed
	clock     *storetest.Clock
	catalogue *scopes.Catalogue

	onBehalf *OnBehalf
	minted   []store.Token // by onBehalf
	lives    []time.Duration
	quota    time.Duration // what TakeToken returns
	found    tokens.Found  // what onBehalf's Finder returns
	uses     []string      // that onBehalf recorded
	made     int           // partner tokens
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
	w.feed = feed.New(feed.Options{Store: w.store, MaxStaleness: time.Minute, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err := w.feed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.feed.Stop)
	w.Service = New(Options{
		Store: w.store.Partners(), Tokens: w.store.PartnerTokens(), Grants: w.store.Grants(), Orgs: w.store.Orgs(), Uses: w.store,
		Credentials: w, Catalogue: func() *scopes.Catalogue { return w.catalogue }, Feed: w.feed,
		Audit: &audit.Log{Store: w.store, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)}, Now: w.clock.Now,
	})
	w.onBehalf = NewOnBehalf(OnBehalfOptions{
		Partners: registry.NewCache(store.PartnerKind, w.store.Partners(), w.feed), Grants: registry.NewCache(store.GrantKind, w.store.Grants(), w.feed),
		Orgs: registry.NewCache(store.OrgKind, w.store.Orgs(), w.feed), List: w.store.Grants(),
		Catalogue: func() *scopes.Catalogue { return w.catalogue }, Find: w, Uses: w, Quota: w, Mint: w, Observe: w, Now: w.clock.Now,
	})
	w.putPartner(t, "cards payments")
	w.putOrg(t, "acme")
	return w
}

// MakePartnerToken makes a credential that only tests accept.
func (w *world) MakePartnerToken(time.Time) (plain, id, hash string) {
	w.made++
	id = strconv.Itoa(10_000_000 + w.made)
	return "plain " + id, id, "hash " + id
}

func (w *world) PartnerTokenOf(ctx context.Context, presented string) (tokens.PartnerToken, error) {
	p, err := w.store.Partners().Get(ctx, "hurdlr")
	for i := range p.Tokens {
		if presented == "plain "+p.Tokens[i].ID {
			return tokens.PartnerToken{Partner: &p, Token: &p.Tokens[i]}, err
		}
	}
	return tokens.PartnerToken{}, err
}

func (w *world) FindBearer(context.Context, string, netip.Addr, ...store.TokenUse) (tokens.Found, error) {
	return w.found, nil
}

func (w *world) RecordPartnerUse(partner, token string, _ netip.Addr) {
	w.uses = append(w.uses, partner+"/"+token)
}

func (w *world) TakeToken(string) time.Duration { return w.quota }
func (w *world) CountIssued(string)             {}

func (w *world) Mint(_ context.Context, t store.Token, life time.Duration) (tokens.IssuedToken, error) {
	if !w.clock.Now().Before(t.ExpiresAt) {
		return tokens.IssuedToken{}, store.ErrExpired
	}
	w.minted, w.lives = append(w.minted, t), append(w.lives, life)
	return tokens.IssuedToken{ExpiresIn: life}, nil
}

// putPartner puts the partner hurdlr.
func (w *world) putPartner(t *testing.T, scope string) {
	t.Helper()
	if _, _, err := w.Put(t.Context(), operator, "hurdlr", 0, Spec{Name: "Hurdlr", Scope: scope}); err != nil {
		t.Fatal(err)
	}
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
	if err := w.feed.Append(t.Context(), store.Entry{Kind: store.EntryChange, Key: store.PrincipalOrg(id)}); err != nil {
		t.Fatal(err)
	}
}

// grant has acme grant hurdlr the scope.
func (w *world) grant(t *testing.T, scope string) GrantView {
	t.Helper()
	v, _, err := w.PutGrant(t.Context(), operator, "hurdlr/acme", 0, GrantSpec{Scope: scope})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// token gives hurdlr a token.
func (w *world) token(t *testing.T) CreatedToken {
	t.Helper()
	c, err := w.CreateToken(t.Context(), operator, "hurdlr", TokenSpec{Name: "backend"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bearer returns hurdlr's token as a caller presents it.
func (w *world) bearer() Bearer {
	return Bearer{
		Token: &store.Token{Use: store.UsePartner, PartnerID: "hurdlr", PartnerTID: "10000001", ExpiresAt: w.clock.Now().Add(time.Hour)},
		Mark:  feed.Mark{Position: w.feed.Position()},
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
