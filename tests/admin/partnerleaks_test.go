package admin_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// explained checks members of the explanation of the token.
func explained(t *testing.T, s *harness.Server, what, token string, want object) {
	t.Helper()
	got := explain(t, s, token)
	for name, value := range want {
		if d := cmp.Diff(value, got[name]); d != "" {
			t.Errorf("%s: %s: %s in %v", what, name, d, got)
		}
	}
	if got["detail"] == "" || strings.Contains(mustJSON(t, got), token) || strings.Contains(mustJSON(t, got), "hash") {
		t.Errorf("%s: the explanation lacks a detail, or holds the token or a hash: %v", what, got)
	}
}

// damaged returns the token with one wrong character.
func damaged(token string) string {
	b := []byte(token)
	if at := len(b) - 10; b[at] == 'x' {
		b[at] = 'y'
	} else {
		b[at] = 'x'
	}
	return string(b)
}

// live returns the token in the form of the other environment.
func live(token string) string { return strings.Replace(token, "_sandbox_", "_live_", 1) }

func TestExplainPartnerTokens(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		made := do(t, s, "POST", "/partners/hurdlr/tokens", object{"name": "n", "lifetime": "2h", "source_ips": []string{"10.0.0.0/8"}}, 201)
		token, id := made["token"].(string), made["token_id"].(string)
		explained(t, s, "active", token, object{
			"state": "active", "token_use": "partner", "jti": id, "partner_token_id": id, "partner_id": "hurdlr", "sub": "partner:hurdlr",
			"source_ips": []any{"10.0.0.0/8"}, "expires_at": made["expires_at"], "ended_at": nil, "scope": nil, "client_id": nil,
		})
		explained(t, s, "damaged", damaged(token), object{"state": "malformed", "partner_id": nil})
		explained(t, s, "other environment", live(token), object{"state": "foreign_environment", "partner_id": nil})
		s.Clock.Add(2*time.Hour + time.Minute)
		explained(t, s, "expired", token, object{"state": "expired", "jti": id, "ended_at": made["expires_at"]})

		do(t, s, "DELETE", "/partners/hurdlr/tokens/"+a.tokenID, nil, 204)
		explained(t, s, "revoked", a.token, object{"state": "revoked", "jti": a.tokenID, "ended_by": "uid:0", "partner_id": "hurdlr"})
		if explain(t, s, a.token)["ended_at"] == nil {
			t.Error("a revoked token does not say since when")
		}
		a.renew()
		do(t, s, "POST", "/partners/hurdlr/deactivate", nil, 200)
		explained(t, s, "partner deactivated", a.token, object{"state": "revoked", "ended_by": "uid:0", "partner_id": "hurdlr"})
		do(t, s, "POST", "/partners/hurdlr/reactivate", nil, 200)
		explained(t, s, "partner reactivated", a.token, object{"state": "revoked"})
		a.renew()
		do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
		explained(t, s, "partner deleted", a.token, object{"state": "lost", "token_use": "partner", "partner_id": nil})
		putPartner(t, s, "hurdlr")
		explained(t, s, "partner created again", a.token, object{"state": "lost", "token_use": "partner"})
		s.Clock.Add(91 * day)
		explained(t, s, "expired, without a record", a.token, object{"state": "expired", "token_use": "partner"})
	})
}

func TestExplainOnBehalfTokens(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		putGrant(t, s, "hurdlr", "acme", object{"scope": "customers cards", "endpoints": []string{"GET /cards"}})
		r := document(t, s, a.token, "/partners/token", "createOnBehalfToken", object{"orgId": "acme", "scopes": "cards", "sourceIp": "10.0.0.1", "expiresIn": 3600})
		token := r.JSON(t)["data"].(object)["attributes"].(object)["token"].(string)
		explained(t, s, "active", token, object{
			"state": "active", "token_use": "on_behalf", "sub": "org:acme", "org_id": "acme", "partner_id": "hurdlr", "partner_token_id": a.tokenID,
			"scope": "cards", "source_ips": []any{"10.0.0.1"}, "endpoints": []any{"GET /cards"}, "client_id": nil, "client_state": nil, "secret_state": nil,
		})
		explained(t, s, "damaged", damaged(token), object{"state": "malformed"})
		explained(t, s, "other environment", live(token), object{"state": "foreign_environment"})

		do(t, s, "POST", "/tokens/revoke", object{"token": token}, 200)
		explained(t, s, "revoked", token, object{"state": "revoked", "ended_by": "uid:0", "void_of": nil})
		token = a.mint("acme")
		do(t, s, "POST", "/tokens/revoke", object{"jti": explain(t, s, token)["jti"]}, 200)
		explained(t, s, "revoked by jti", token, object{"state": "revoked"})

		for _, step := range []struct {
			what, method, path string
			body               any
			of                 string
			after              func()
		}{
			{"grant withdrawn", "DELETE", "/partners/hurdlr/orgs/acme", nil, "grant:hurdlr/acme",
				func() { putGrant(t, s, "hurdlr", "acme", object{"scope": "customers cards"}) }},
			{"grant narrowed", "PUT", "/partners/hurdlr/orgs/acme", object{"scope": "cards"}, "grant:hurdlr/acme", nil},
			{"org void", "POST", "/orgs/acme/void-tokens", nil, "org:acme", nil},
			{"org deactivated", "POST", "/orgs/acme/deactivate", nil, "org:acme", func() { do(t, s, "POST", "/orgs/acme/reactivate", nil, 200) }},
			{"partner void", "POST", "/partners/hurdlr/void-tokens", nil, "partner:hurdlr", a.renew},
			{"partner narrowed", "PUT", "/partners/hurdlr", object{"name": "Hurdlr", "scope": "cards"}, "partner:hurdlr", nil},
			{"partner deactivated", "POST", "/partners/hurdlr/deactivate", nil, "partner:hurdlr",
				func() { do(t, s, "POST", "/partners/hurdlr/reactivate", nil, 200); a.renew() }},
			{"partner token revoked", "DELETE", "/partners/hurdlr/tokens/TOKEN", nil, "partner_token:TOKEN", a.renew},
			{"void-all", "POST", "/tokens/void-all", nil, "all", a.renew},
			{"partner deleted", "DELETE", "/partners/hurdlr", nil, "partner:hurdlr", nil},
		} {
			token := a.mint("acme")
			named := strings.NewReplacer("TOKEN", a.tokenID)
			if r := s.AdminDo(t, step.method, named.Replace(step.path), step.body); r.Status >= 300 {
				t.Fatalf("%s: %d %s", step.what, r.Status, r.Body)
			}
			explained(t, s, step.what, token, object{"state": "void", "void_of": named.Replace(step.of), "ended_by": "uid:0", "partner_id": "hurdlr", "org_id": "acme"})
			if step.after != nil {
				step.after()
			}
		}
	})
}

func TestExpiredOnBehalfToken(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	a := newAlliance(t, s)
	token := a.mint("acme")
	s.Clock.Add(day + time.Minute)
	explained(t, s, "expired", token, object{"state": "expired"})
	a.wants("expired", false, token)
	do(t, s, "POST", "/leaks", object{"credential": damaged(token)}, 404)
}

// An operator can revoke a partner token by the token or by its id.
func TestRevokePartnerTokens(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		for what, sent := range map[string]func() object{
			"token": func() object { return object{"token": a.token} },
			"jti":   func() object { return object{"jti": a.tokenID} },
		} {
			a.renew()
			short := a.mint("acme")
			for range 2 { // the second time is no error
				if got := do(t, s, "POST", "/tokens/revoke", sent(), 200); got["revoked"] != a.tokenID {
					t.Errorf("by %s: %v", what, got)
				}
			}
			a.wants("revoked by "+what, false, a.token, short)
			a.refused("revoked by "+what, "acme", 401)
			if got := listed(t, s, "hurdlr")[a.tokenID]; got["active"] != false || got["revoked_by"] != "uid:0" {
				t.Errorf("by %s: %v", what, got)
			}
		}
		a.renew()
		for name, body := range map[string]object{
			"unknown jti": {"jti": "AAAAAAAA"}, "jti with a slash": {"jti": "../../.."}, "jti with a brace": {"jti": "{grantd}"},
			"jti of seven": {"jti": a.tokenID[:7]}, "both": {"jti": a.tokenID, "token": a.token}, "none": {},
		} {
			if got := do(t, s, "POST", "/tokens/revoke", body, 400); got["error"] != "invalid_request" {
				t.Errorf("%s: %v", name, got)
			}
		}
		do(t, s, "POST", "/tokens/revoke", object{"token": damaged(a.token)}, 404)
		do(t, s, "POST", "/tokens/revoke", object{"token": live(a.token)}, 404)
		a.wants("tokens that were not revoked", true, a.token)
		for action, n := range map[string]int{"partner.revoke_token": 4, "partner.create_token": 4} {
			if got := strings.Count(strings.Join(actions(t, s, "partner:hurdlr"), " "), action); got != n {
				t.Errorf("%s is audited %d times, want %d", action, got, n)
			}
		}
	})
}

func TestLeakedPartnerTokens(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		report := func(credential string, want object) {
			t.Helper()
			got := do(t, s, "POST", "/leaks", object{"credential": credential}, 200)
			if use, is := got["last_use"].(object); is && (use["last_used_ip"] != "127.0.0.1" || got["kind"] != "partner_token") {
				t.Errorf("last use: %v", use)
			}
			delete(got, "last_use") // it may be written some seconds later
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if strings.Contains(mustJSON(t, got), credential) {
				t.Error("the response repeats the credential")
			}
		}
		// A leaked on-behalf token ends alone.
		found, kept := a.mint("acme"), a.mint("acme")
		report(found, object{"kind": "token", "partner_id": "hurdlr", "jti": explain(t, s, found)["jti"], "ended": true})
		a.wants("leaked", false, found)
		a.wants("not leaked", true, kept, a.token)

		// A leaked partner token ends with the tokens made from it.
		first, firstID := a.token, a.tokenID
		a.renew()
		spared := a.mint("acme")
		want := object{"kind": "partner_token", "partner_id": "hurdlr", "partner_token_id": firstID, "ended": true}
		report(first, want)
		x := do(t, s, "POST", "/tokens/explain", object{"token": first}, 200)
		want["already_ended"], want["ended_at"], want["ended_by"] = true, x["ended_at"], "uid:0"
		report(first, want)
		a.wants("leaked", false, first, kept)
		a.wants("of another partner token", true, a.token, spared)
		explained(t, s, "leaked", first, object{"state": "revoked", "ended_by": "uid:0"})

		for _, credential := range []string{damaged(a.token), live(a.token)} {
			do(t, s, "POST", "/leaks", object{"credential": credential}, 404)
		}
		a.wants("a wrong report", true, a.token, spared)
		if n := len(events(t, s, "partner_token:"+firstID)); n != 2 {
			t.Errorf("%d reports of the partner token are audited", n)
		}
		text := s.AdminDo(t, "GET", "/audit?limit=500", nil).Body + s.Logs.String()
		for _, credential := range []string{first, found, kept, a.token, spared, damaged(a.token)} {
			if strings.Contains(text, credential) || strings.Contains(text, credential[len(credential)-43:]) {
				t.Error("audit or log holds a credential")
			}
		}
		do(t, s, "DELETE", "/partners/hurdlr", nil, 204)
		do(t, s, "POST", "/leaks", object{"credential": a.token}, 404)
	})
}

// Ending two hundred tokens costs as many writes as ending one.
func TestEndingCostsTheSame(t *testing.T) {
	t.Parallel()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(e)
	s := harness.Start(t, harness.Options{Use: faulty})
	writes := func() (n int) {
		for _, method := range []string{
			"AppendFeed", "PutToken", "ReplaceToken", "UpdatePartner", "UpdateGrant", "UpdateOrg",
			"DeletePartner", "DeleteGrant", "DeletePartnerToken", "DeleteOrg",
		} {
			n += faulty.Calls(method)
		}
		return n
	}
	entries := func() (n int) {
		for after := (store.Position{}); ; {
			page, err := e.ReadFeed(t.Context(), after, 0)
			if err != nil {
				t.Fatal(err)
			}
			if n += len(page); len(page) < store.FeedPage {
				return n
			}
			after = page[len(page)-1].Position
		}
	}
	cost := func(i, tokens int, method, path string) [2]int {
		partner, org := fmt.Sprintf("p%d-%d", i, tokens), fmt.Sprintf("o%d-%d", i, tokens)
		putPartner(t, s, partner)
		putOrg(t, s, org, org)
		putGrant(t, s, partner, org, object{"scope": "cards"})
		token, id := partnerToken(t, s, partner)
		for range tokens {
			if _, status := onBehalf(t, s, token, org, "cards"); status != 201 {
				t.Fatalf("a token: %d", status)
			}
		}
		w, f := writes(), entries()
		if r := s.AdminDo(t, method, strings.NewReplacer("PARTNER", partner, "ORG", org, "TOKEN", id).Replace(path), nil); r.Status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
		}
		return [2]int{writes() - w, entries() - f}
	}
	for i, tc := range []struct{ method, path string }{
		{"DELETE", "/partners/PARTNER/orgs/ORG"}, {"DELETE", "/partners/PARTNER/tokens/TOKEN"}, {"DELETE", "/partners/PARTNER/tokens"},
		{"POST", "/partners/PARTNER/deactivate"}, {"DELETE", "/partners/PARTNER"}, {"POST", "/orgs/ORG/deactivate"}, {"DELETE", "/orgs/ORG"},
	} {
		one, many := cost(i, 1, tc.method, tc.path), cost(i, 200, tc.method, tc.path)
		if one != many || one[0] == 0 || one[1] == 0 {
			t.Errorf("%s %s: with one token %d writes and %d entries, with two hundred %d and %d", tc.method, tc.path, one[0], one[1], many[0], many[1])
		}
	}
}
