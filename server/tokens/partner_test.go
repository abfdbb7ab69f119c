package tokens

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// testService is a Service on its private store, with a clock that tests move.
type testService struct {
	*Service
	store *storetest.Faulty
	later atomic.Int64 // nanoseconds after now
	reads int          // of the owners of partner tokens
}

func (d *testService) clock() time.Time { return now.Add(time.Duration(d.later.Load())) }

func newTestService(t *testing.T) *testService {
	t.Helper()
	d := &testService{}
	inner, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: d.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	d.store = storetest.NewFaulty(inner)
	f := feed.New(feed.Options{
		Store: d.store, MaxStaleness: time.Minute, Now: d.clock, Log: slog.New(slog.DiscardHandler),
		Restore: func(context.Context) error { return nil },
	})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	d.Service = New(Options{
		Environment: "sandbox", Issuer: func() string { return "https://grantd.example.com" }, Store: d.store, Clients: d.store.Clients(), Feed: f, Keys: ring(t, "gt_sandbox_", key(1, now)), Now: d.clock,
		Partners: registry.NewCache(store.PartnerKind, d.store.Partners(), f), PartnerTokens: registry.NewCache(store.PartnerTokenKind, d.store.PartnerTokens(), f), CacheSize: 100,
	})
	d.store.Hook("GetPartnerToken", func() { d.reads++ })
	return d
}

// newPartner makes a partner with one token, which edit may change.
func (d *testService) newPartner(t *testing.T, id string, edit func(*store.PartnerToken)) (plain, tokenID string) {
	t.Helper()
	end := now.Add(90 * 24 * time.Hour)
	plain, tokenID, hash := d.MakePartnerToken(end)
	token := store.PartnerToken{ID: tokenID, Name: "backend", Hash: hash, CreatedBy: "uid:0", CreatedAt: now, ExpiresAt: end}
	if edit != nil {
		edit(&token)
	}
	if err := d.store.PartnerTokens().Create(t.Context(), store.PartnerTokenOwner{ID: tokenID, PartnerID: id}); err != nil {
		t.Fatal(err)
	}
	p := store.Partner{ID: id, Name: "Hurdlr", Scopes: []string{"cards"}, Tokens: []store.PartnerToken{token}, Head: store.Head{CreatedAt: now, UpdatedAt: now}}
	if err := d.store.Partners().Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return plain, tokenID
}

func (d *testService) find(t *testing.T, presented string) Found {
	t.Helper()
	f, err := d.Find(t.Context(), presented)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPartnerTokenForm(t *testing.T) {
	d := newTestService(t)
	end := now.Add(time.Hour)
	plain, id, hash := d.MakePartnerToken(end)
	if !strings.HasPrefix(plain, "gp_sandbox_"+id+"_") || len(plain) != len("gp_sandbox_")+8+1+43 {
		t.Errorf("form of the token with id %q", id)
	}
	if got, ok := credential.PartnerTokenID(plain, "sandbox"); !ok || got != id {
		t.Errorf("id %q %v, want %q", got, ok, id)
	}
	if got, ok := d.o.Keys.Read(plain); !ok || got.Before(end) || got.Sub(end) >= time.Minute {
		t.Errorf("its end is read as %v %v", got, ok)
	}
	if !credential.Matches(hash, plain) || strings.Contains(hash, plain[20:]) {
		t.Error("the hash is not the token's")
	}
	again, other, _ := d.MakePartnerToken(end)
	if again == plain || other == id {
		t.Error("two tokens are the same")
	}
}

func TestFindPartnerToken(t *testing.T) {
	d := newTestService(t)
	plain, id := d.newPartner(t, "hurdlr", nil)
	f := d.find(t, plain)
	if f.Token == nil || f.Token.Use != store.UsePartner || f.Token.PartnerID != "hurdlr" || f.Token.PartnerTID != id || f.ID() != id {
		t.Fatalf("%+v", f.Token)
	}
	if f.Token.ClientID != "" || f.Token.Scopes != "" || f.Token.OrgID != "" {
		t.Errorf("the partner token has fields of other tokens: %+v", f.Token)
	}
	if d.cached(f.Digest) != nil {
		t.Error("it is in the cache of tokens, which does not see its record change")
	}
	before := d.reads
	if d.find(t, plain).Source != FromCache || d.reads != before {
		t.Error("the second look-up reads the store")
	}
}

// TestPartnerTokensThatAreNone shows that made-up, damaged and spliced tokens do
// not reach the store, and that a token with the right keyed check is compared
// with the hash.
func TestPartnerTokensThatAreNone(t *testing.T) {
	d := newTestService(t)
	plain, id := d.newPartner(t, "hurdlr", nil)
	_, otherID := d.newPartner(t, "kard", nil)
	body := plain[len(plain)-43:]
	elsewhere := New(Options{Environment: "sandbox", Keys: ring(t, "", store.TokenKey{ID: 1, Key: bytes.Repeat([]byte{9}, 32), CreatedAt: now}), Now: d.o.Now})
	live := New(Options{Environment: "live", Keys: d.o.Keys, Now: d.o.Now})
	foreign, _, _ := elsewhere.MakePartnerToken(now.Add(time.Hour))
	ofLive, _, _ := live.MakePartnerToken(now.Add(time.Hour))
	made := func(prefix string) string { return d.o.Keys.make(prefix, now.Add(time.Hour)) }
	d.reads = 0
	for name, presented := range map[string]string{
		"id of another": strings.Replace(plain, id, otherID, 1), "id damaged": strings.Replace(plain, id, id[:7]+"?", 1), "no id": "gp_sandbox_" + body, "only the body": body,
		"a client's token": "gt_sandbox_" + body, "live": strings.Replace(plain, "sandbox", "live", 1), "prefix in capitals": strings.Replace(plain, "gp_", "GP_", 1),
		"another body": plain[:len(plain)-43] + foreign[len(foreign)-43:], "of another server": foreign, "of live": ofLive, "cut": plain[:len(plain)-1], "longer": plain + "A", "padded": plain + "=",
		"a blank before": " " + plain, "a line break behind": plain + "\n", "a secret": "gs" + plain[2:], "empty": "", "prefix alone": "gp_sandbox_" + id + "_",
	} {
		if f := d.find(t, presented); f.Token != nil {
			t.Errorf("%s: found", name)
		}
		if p, err := d.PartnerTokenOf(t.Context(), presented); err != nil || p.Token != nil {
			t.Errorf("%s: %v %v", name, p.Token, err)
		}
	}
	for i := range plain {
		changed := []byte(plain)
		if changed[i]++; changed[i] == plain[i] {
			continue
		}
		if d.find(t, string(changed)).Token != nil {
			t.Errorf("changed at %d and still found", i)
		}
	}
	if d.reads != 0 {
		t.Errorf("%d of them reached the store", d.reads)
	}
	// Only the hash refuses a token with the right keyed check and the right id
	// that nobody was given.
	forged := made("gp_sandbox_" + id + "_")
	if f := d.find(t, forged); f.Token != nil || f.Source == FromNone {
		t.Errorf("another token with the same id: %+v from %s", f.Token, f.Source)
	}
	if p, err := d.PartnerTokenOf(t.Context(), forged); err != nil || p.Token != nil {
		t.Errorf("another token with the same id: %v %v", p.Token, err)
	}
	if f := d.find(t, made("gp_sandbox_Zz9Zz9Zz_")); f.Token != nil {
		t.Error("a token without a record is found")
	}
}

// TestPartnerTokenEnds shows that a token ends at the second in its record, not at
// the minute inside the token.
func TestPartnerTokenEnds(t *testing.T) {
	d := newTestService(t)
	at := now
	soon := now.Add(10 * time.Second)
	expiring, _ := d.newPartner(t, "expiring", func(p *store.PartnerToken) { p.ExpiresAt = soon })
	revoked, _ := d.newPartner(t, "revoked", func(p *store.PartnerToken) { p.RevokedAt, p.RevokedBy = &at, "uid:0" })
	whole, _ := d.newPartner(t, "whole", nil)
	off, _ := d.newPartner(t, "off", nil)
	if d.find(t, off).Token == nil {
		t.Fatal("not found")
	}
	p, err := d.store.Partners().Get(t.Context(), "off")
	if err != nil {
		t.Fatal(err)
	}
	p.DeactivatedAt = &at
	if err := d.store.Partners().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := d.o.Feed.Append(t.Context(), store.Entry{Kind: store.EntryChange, Key: store.PrincipalPartner("off")}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		alive map[string]bool
	}{
		{0, map[string]bool{"expiring": true, "whole": true}},
		{10*time.Second - 1, map[string]bool{"expiring": true, "whole": true}},
		{10 * time.Second, map[string]bool{"whole": true}},
		{90 * 24 * time.Hour, nil},
	} {
		d.later.Store(int64(step.after))
		for name, token := range map[string]string{"expiring": expiring, "revoked": revoked, "whole": whole, "off": off} {
			if got := d.find(t, token).Token != nil; got != step.alive[name] {
				t.Errorf("%s after %v: found %v", name, step.after, got)
			}
			// Revoking and explaining it still need its record.
			if p, err := d.PartnerTokenOf(t.Context(), token); err != nil || p.Token == nil || (p.Refused(d.clock()) == "") != step.alive[name] {
				t.Errorf("%s after %v: its record is %v, %v", name, step.after, p.Token, err)
			}
		}
	}
}

// TestPartnerTokenStoreUnavailable shows that without the store there is no
// verdict, except on garbage.
func TestPartnerTokenStoreUnavailable(t *testing.T) {
	for _, method := range []string{"GetPartnerToken", "GetPartner"} {
		d := newTestService(t)
		plain, _ := d.newPartner(t, "hurdlr", nil)
		d.store.Fail(method, store.ErrUnavailable)
		if f, err := d.Find(t.Context(), plain); !errors.Is(err, store.ErrUnavailable) || f.Token != nil {
			t.Errorf("%s: found %v, error %v", method, f.Token, err)
		}
		if _, err := d.Find(t.Context(), plain[:len(plain)-1]+"?"); err != nil {
			t.Errorf("%s: garbage: %v", method, err)
		}
		d.store.Heal(method)
		if d.find(t, plain).Token == nil {
			t.Errorf("%s: not found afterwards", method)
		}
	}
}

// TestRevokeOwnOfPartners shows that a client can end neither a partner token nor
// a token that was made with it.
func TestRevokeOwnOfPartners(t *testing.T) {
	d := newTestService(t)
	plain, id := d.newPartner(t, "hurdlr", nil)
	issued, err := d.storeToken(t.Context(), d.o.Keys.Make(now.Add(time.Hour)), store.Token{
		Use: store.UseOnBehalf, PartnerID: "hurdlr", PartnerTID: id, OrgID: "h5D8B5gyHtk=", Scopes: "cards", IssuedAt: now, ExpiresAt: now.Add(time.Hour), Position: d.o.Feed.Position(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"partner": plain, "on behalf": issued.Token} {
		for _, client := range []string{"billing", "hurdlr", ""} {
			if name == "on behalf" && client == "" {
				continue // no client has that id
			}
			if _, err := d.RevokeOwn(t.Context(), token, client, func(string) error { return nil }); !errors.Is(err, ErrNotYours) {
				t.Errorf("%s by %q: %v", name, client, err)
			}
		}
		if d.find(t, token).Token == nil {
			t.Errorf("%s: it has ended", name)
		}
	}
}

// TestRevokeSelf: a token of any use ends itself, for its holder; one that has ended, or
// that nobody made, is not written again.
func TestRevokeSelf(t *testing.T) {
	d := newTestService(t)
	for want, record := range map[string]store.Token{
		"client:billing": {Use: store.UseClient, ClientID: "billing", SecretID: "abcd1234"},
		"customer:10001": {Use: store.UseCustomer, ClientID: "billing", CustomerID: "10001", OrgID: "acme"},
		"partner:hurdlr": {Use: store.UseOnBehalf, PartnerID: "hurdlr", PartnerTID: "efgh5678", OrgID: "acme", SourceIPs: []string{"192.0.2.1"}, Audience: []string{"https://a.example"}},
	} {
		record.IssuedAt, record.ExpiresAt, record.Position = now, now.Add(time.Hour), d.o.Feed.Position()
		issued, err := d.storeToken(t.Context(), d.o.Keys.Make(now.Add(time.Hour)), record)
		if err != nil {
			t.Fatal(err)
		}
		refuse := errors.New("over the quota")
		if rec, err := d.RevokeSelf(t.Context(), issued.Token, func(string) error { return refuse }); rec != nil || !errors.Is(err, refuse) || d.find(t, issued.Token).Token == nil {
			t.Errorf("%s over the quota: %v %v", want, rec, err)
		}
		var holders []string
		take := func(holder string) error { holders = append(holders, holder); return nil }
		for i := range 2 {
			if rec, err := d.RevokeSelf(t.Context(), issued.Token, take); err != nil || (rec != nil) != (i == 0) {
				t.Errorf("%s, call %d: %v %v", want, i+1, rec, err)
			}
		}
		if len(holders) != 1 || holders[0] != want || d.find(t, issued.Token).Token != nil {
			t.Errorf("%s: counted for %q", want, holders)
		}
		if x, err := d.Explain(t.Context(), issued.Token); err != nil || x.EndedBy != want {
			t.Errorf("%s: ended by %q, %v", want, x.EndedBy, err)
		}
	}
	for _, none := range []string{"", "x", d.o.Keys.Make(now.Add(time.Hour))} {
		if rec, err := d.RevokeSelf(t.Context(), none, func(string) error { t.Error("counted"); return nil }); rec != nil || err != nil {
			t.Errorf("%q: %v %v", none, rec, err)
		}
	}
}
