package clients

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/imports"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

var by = audit.Actor{Name: "uid:0"}

// world is the service on a separate store. Tests make the store fail by the
// methods of Faulty.
type world struct {
	*storetest.Faulty
	*Service
	feed *feed.Feed
}

// inWorld runs the test in a bubble of synctest: time is the bubble's.
func inWorld(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Open(embedded.Options{Path: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		w := &world{Faulty: storetest.NewFaulty(s)}
		log := slog.New(slog.DiscardHandler)
		w.feed = feed.New(feed.Options{Store: w.Faulty, MaxStaleness: time.Second, Now: time.Now, Log: log})
		if err := w.feed.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.feed.Stop)
		catalogue, err := scopes.Decode([]byte("[{name: a:read}, {name: a:write}, {name: b:read}]"))
		if err != nil {
			t.Fatal(err)
		}
		w.Service = New(Options{
			Environment: "sandbox", Store: w.Faulty.Clients(), Uses: w.Faulty, Feed: w.feed, Orgs: w.Faulty.Orgs(),
			Audit:     &audit.Log{Store: w.Faulty, Now: time.Now, Log: log},
			Catalogue: func() *scopes.Catalogue { return catalogue }, Now: time.Now,
		})
		run(t, w)
	})
}

func to[T any](v T) *T { return &v }

// create makes a client that may have the scopes.
func (w *world) create(t *testing.T, id, scope string) Created {
	t.Helper()
	c, err := w.Create(t.Context(), by, NewSpec{ClientID: id, Spec: Spec{Scope: &scope}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// record returns the client as the store has it.
func (w *world) record(t *testing.T, id string) store.Client {
	t.Helper()
	c, err := w.Faulty.Store.Clients().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dead reports whether a token of the client's secret that was minted at p is
// void.
func (w *world) dead(client, secret string, p store.Position) bool {
	_, void := w.feed.Voided(store.Digest{}, &store.Token{Use: store.UseClient, ClientID: client, SecretID: secret, Position: p})
	return void
}

// refused fails the test unless err has the code and the field; "" wants no
// error.
func refused(t *testing.T, rule string, err error, code apierr.Code, field string) {
	t.Helper()
	var e *apierr.Error
	switch {
	case code == "":
		if err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	case !errors.As(err, &e) || e.Code != code || e.Field != field:
		t.Errorf("%s: error %v, want %s of %q", rule, err, code, field)
	}
}

func TestCreate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.create(t, "billing", "a:read")
		r := w.record(t, "billing")
		if len(r.Secrets) != 1 || r.Secrets[0].ID != c.SecretID || strings.Contains(r.Secrets[0].Hash, c.ClientSecret) || c.Version != r.Version {
			t.Errorf("created %+v, stored %+v", c, r)
		}
		_, err := w.Create(t.Context(), by, NewSpec{ClientID: "billing"})
		refused(t, "a taken id", err, apierr.Conflict, "")
		if err := w.Orgs().Create(t.Context(), store.Org{ID: "acme", Incarnation: 7}); err != nil {
			t.Fatal(err)
		}
		generated, err := w.Create(t.Context(), by, NewSpec{OrgID: "acme"})
		refused(t, "without an id, of an org", err, "", "")
		if generated.ClientID == "" || w.record(t, generated.ClientID).OrgIncarnation != 7 {
			t.Errorf("%+v", generated)
		}
		w.Fail("GetOrg", store.ErrUnavailable)
		if _, err := w.Create(t.Context(), by, NewSpec{ClientID: "late", OrgID: "acme"}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the org cannot be read: %v", err)
		}
		w.Heal("GetOrg")
		if n := w.Calls("CreateClient"); n != 3 {
			t.Errorf("%d clients written, want 3: none without its org", n)
		}
		events, err := w.ListAudit(t.Context(), "", 10)
		if err != nil || len(events) != 4 || events[0].Outcome != "temporarily_unavailable" || events[2].Outcome != "conflict" {
			t.Errorf("audit: %+v, %v", events, err)
		}
		for _, e := range events {
			if c := string(e.After); strings.Contains(c, r.Secrets[0].Hash) || strings.Contains(c, "client_secret\"") {
				t.Errorf("a secret in the audit: %s", c)
			}
		}
	})
}

// An imported secret keeps its hash, and is not shown.
func TestCreateWithAHash(t *testing.T) {
	const hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	inWorld(t, func(t *testing.T, w *world) {
		c, err := w.Create(t.Context(), by, NewSpec{ClientID: "old", SecretHash: hash})
		refused(t, "bcrypt", err, "", "")
		r := w.record(t, "old")
		if c.ClientSecret != "" || len(r.Secrets) != 1 || r.Secrets[0].Hash != hash || r.Secrets[0].ID != c.SecretID || c.SecretID == "" {
			t.Errorf("created %+v, stored %+v", c, r)
		}
		for _, bad := range []string{"plain", "$2b$99$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "sha256$abc"} {
			_, err := w.Create(t.Context(), by, NewSpec{ClientID: "bad", SecretHash: bad})
			refused(t, bad, err, apierr.InvalidRequest, "secret_hash")
		}
	})
}

// A wrong secret is checked against each imported hash, so all of them together must not
// take too long.
func TestImportBoundsTheCost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for name, row := range map[string]struct {
			hashes []string
			fails  bool
		}{
			"two_of_the_slowest":   {bcrypts("12", "12"), false},
			"three_of_the_slowest": {bcrypts("12", "12", "12"), true},
			"five_of_the_slowest":  {bcrypts("12", "12", "12", "12", "12"), true},
			"four_of_half":         {bcrypts("11", "11", "11", "11"), false},
			"five_of_half":         {bcrypts("11", "11", "11", "11", "11"), true},
			"five_of_the_fastest":  {bcrypts("10", "10", "10", "10", "10"), false},
			"kinds_mixed":          {append(bcrypts("12"), pbkdf2Slowest, argonSlowest), true},
			"sha256_is_free":       {append(bcrypts("12", "12"), strings.Repeat("ab", 32)), false},
		} {
			r, err := w.Import(t.Context(), by, Import{Check: true, Clients: []ImportLine{{NewSpec: NewSpec{ClientID: name}, SecretHashes: row.hashes}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Results[0]; (got.Result == imports.Refused) != row.fails || row.fails && got.Field != "secret_hashes" {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
}

const (
	pbkdf2Slowest = "$pbkdf2-sha256$1000000$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZ+++"
	argonSlowest  = "$argon2id$v=19$m=65536,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZ+++"
)

// bcrypts returns different hashes of the costs.
func bcrypts(costs ...string) (hashes []string) {
	for i, cost := range costs {
		hashes = append(hashes, fmt.Sprintf("$2b$%s$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhW%d", cost, i))
	}
	return hashes
}

// bound is a spec whose tokens are bound to the addresses.
func bound(ranges ...string) Spec { return Spec{SourceIPs: &ranges, BindSourceIP: to(true)} }

// Taking something away voids the client's tokens, adding does not.
func TestUpdateVoidsWhenItNarrows(t *testing.T) {
	for _, row := range []struct {
		rule          string
		before, after Spec
		void          bool
	}{
		{"a name", Spec{}, Spec{Name: to("Billing")}, false},
		{"one scope more", Spec{Scope: to("a:read")}, Spec{Scope: to("a:read a:write")}, false},
		{"the same scopes in another order", Spec{Scope: to("a:read b:read")}, Spec{Scope: to("b:read a:read")}, false},
		{"one scope less", Spec{Scope: to("a:read b:read")}, Spec{Scope: to("a:read")}, true},
		{"one scope for another", Spec{Scope: to("a:read")}, Spec{Scope: to("b:read")}, true},
		{"all resources to one", Spec{}, Spec{Resources: &[]string{"https://a.example"}}, true},
		{"one resource to all", Spec{Resources: &[]string{"https://a.example"}}, Spec{Resources: &[]string{}}, true},
		{"one resource more", Spec{Resources: &[]string{"https://a.example"}}, Spec{Resources: &[]string{"https://a.example", "https://b.example"}}, false},
		{"bound to the addresses that it has", Spec{SourceIPs: &[]string{"10.0.0.0/8"}}, Spec{BindSourceIP: to(true)}, true},
		{"bound no more", bound("10.0.0.0/8"), Spec{BindSourceIP: to(false)}, false},
		{"bound no more, and fewer addresses", bound("10.0.0.0/8", "::1"), Spec{BindSourceIP: to(false), SourceIPs: &[]string{"::1"}}, false},
		{"fewer addresses, not bound", Spec{SourceIPs: &[]string{"10.0.0.0/8", "::1"}}, Spec{SourceIPs: &[]string{"::1"}}, false},
		{"bound to one range less", bound("10.0.0.0/8", "::1"), Spec{SourceIPs: &[]string{"::1"}}, true},
		{"bound to a narrower range", bound("10.0.0.0/8"), Spec{SourceIPs: &[]string{"10.0.0.0/9"}}, true},
		{"bound to a wider range", bound("10.0.0.0/8"), Spec{SourceIPs: &[]string{"10.0.0.0/7"}}, false},
		{"bound to one range more", bound("10.0.0.0/8"), Spec{SourceIPs: &[]string{"::1", "10.0.0.0/8"}}, false},
		{"bound to the same in another spelling", bound("10.0.0.0/8"), Spec{SourceIPs: &[]string{"::ffff:10.1.0.0/104"}}, false},
		{"one resource less", Spec{Resources: &[]string{"https://a.example", "https://b.example"}}, Spec{Resources: &[]string{"https://a.example"}}, true},
	} {
		t.Run(row.rule, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				if row.before.Scope == nil {
					row.before.Scope = to("a:read")
				}
				c, err := w.Create(t.Context(), by, NewSpec{ClientID: "billing", Spec: row.before})
				refused(t, "create", err, "", "")
				minted := w.feed.Position()
				v, err := w.Update(t.Context(), by, "billing", c.Version, row.after)
				refused(t, row.rule, err, "", "")
				if got := w.dead("billing", c.SecretID, minted); got != row.void {
					t.Errorf("its tokens are void: %v, want %v", got, row.void)
				}
				if r := w.record(t, "billing"); r.Unannounced || r.Version != v.Version {
					t.Errorf("stored %+v, returned version %d", r, v.Version)
				}
			})
		})
	}
}
