package protocol_test

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// about introspects a token.
func about(token string, headers ...string) call {
	return form("/oauth/introspect", "token="+url.QueryEscape(token), headers...)
}

// wantActive and wantInactive make the rows about whether a token is active.
func wantActive(name string, c call) row {
	return row{name: name, call: c, status: 200, also: func(t *testing.T, r harness.Response) {
		t.Helper()
		if r.JSON(t)["active"] != true {
			t.Errorf("inactive: %s", r.Body)
		}
	}}
}

func wantInactive(name string, c call) row {
	return row{name: name, call: c, status: 200, body: inactive}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token, auth := w.token(t, w.app, ""), basic(w.rs)
	revoked := w.token(t, w.app, "")
	granted("", call{}).check(t, w.send(t, form("/oauth/revoke", "token="+revoked, basic(w.app))))
	made := token[:len(token)-1] + map[bool]string{true: "A", false: "E"}[strings.HasSuffix(token, "E")]
	w.keep(made)
	const missing = "token is missing"
	w.run(t, []row{
		wantActive("introspect_active", about(token, auth)),
		wantActive("introspect_active/credentials_in_the_body", form("/oauth/introspect", "token="+token+credentials(w.rs))),
		wantInactive("introspect_unknown", about(strings.Repeat("a", 43), auth)),
		wantInactive("introspect_revoked", about(revoked, auth)),
		wantInactive("introspect_malformed/last_character", about(made, auth)),
		wantInactive("introspect_malformed/another_prefix", about("gt_x_"+token[len("gt_sandbox_"):], auth)),
		wantInactive("introspect_malformed/no_prefix", about(token[len("gt_sandbox_"):], auth)),
		wantInactive("introspect_malformed/1_character", about("x", auth)),
		wantInactive("introspect_malformed/4_kb", about(strings.Repeat("x", 4096), auth)),
		wantInactive("introspect_malformed/60_kb", about(strings.Repeat("x", 60<<10), auth)),
		wantInactive("introspect_malformed/leading_space", about(" "+token, auth)),
		wantInactive("introspect_malformed/trailing_space", about(token+" ", auth)),
		wantInactive("introspect_malformed/trailing_newline", about(token+"\n", auth)),
		wantInactive("introspect_malformed/newline_inside", about(token[:30]+"\n"+token[30:], auth)),
		wantInactive("introspect_malformed/nul", about(token+"\x00", auth)),
		wantInactive("introspect_malformed/invalid_utf8", about("\xff\xfe", auth)),
		wantInactive("introspect_malformed/padding", about(token+"=", auth)),
		wantInactive("introspect_malformed/client_secret", about(w.app.ClientSecret, auth)),
		failed("introspect_no_authentication", about(token)),
		failed("introspect_no_authentication/empty_client_id", form("/oauth/introspect", "token="+token+"&client_id=")),
		failed("introspect_wrong_credentials/wrong_secret", about(token, basicOf("rs", wrong))),
		failed("introspect_wrong_credentials/wrong_secret_in_the_body", form("/oauth/introspect", "token="+token+"&client_id=rs&client_secret="+wrong)),
		failed("introspect_wrong_credentials/unknown_client", about(token, basicOf("nobody", wrong))),
		failed("introspect_wrong_credentials/unknown_scheme", about(token, "Authorization: Digest x")),
		{name: "introspect_right/client_without_the_right", call: about(token, basic(w.app)), status: 403, code: "access_denied", says: "introspect"},
		{name: "introspect_right/not_even_its_own", call: about("made-up-0123456789", basic(w.app)), status: 403, code: "access_denied"},
		refused("introspect_token_missing", form("/oauth/introspect", "", auth), missing),
		refused("introspect_token_missing/empty", form("/oauth/introspect", "token=", auth), missing),
		refused("introspect_token_missing/only_a_hint", form("/oauth/introspect", "token_type_hint=access_token", auth), missing),
		refused("introspect_repeated", form("/oauth/introspect", "token="+token+"&token="+token, auth), "is repeated"),
		refused("introspect_repeated/hint_twice", form("/oauth/introspect", "token="+token+"&token_type_hint=a&token_type_hint=a", auth), "is repeated"),
		wantActive("introspect_hint_refresh", form("/oauth/introspect", "token_type_hint=refresh_token&token="+token, auth)),
		wantActive("introspect_hint_unknown", form("/oauth/introspect", "token_type_hint=foo&token="+token, auth)),
		wantActive("introspect_hint_unknown/strange", form("/oauth/introspect", "token_type_hint=%00%ff&token="+token, auth)),
		{name: "introspect_get", call: call{method: "GET", target: "/oauth/introspect?token=" + token, headers: []string{auth}},
			status: 405, code: badRequest, header: map[string]string{"Allow": "POST"}},
		{name: "introspect_get/head", call: call{method: "HEAD", target: "/oauth/introspect?token=" + token, headers: []string{auth}}, status: 405},
		refused("introspect_media_type/json", post("/oauth/introspect", `{"token":"`+token+`"}`, jsonType, auth), "application/x-www-form-urlencoded"),
		refused("introspect_media_type/text", post("/oauth/introspect", "token="+token, "Content-Type: text/plain", auth), "application/x-www-form-urlencoded"),
		wantActive("introspect_unknown_parameter", form("/oauth/introspect", "token="+token+"&foo=bar&foo=baz", auth)),
		{name: "introspect_no_store", call: about(token, auth), status: 200, header: map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache"}},
		{name: "no_batch", call: form("/oauth/introspect/batch", "token="+token, auth), status: 404, code: "not_found"},
		{name: "body_too_large/too_large", call: about(strings.Repeat("x", 64<<10), auth), status: 413, code: badRequest},
	})
	t.Run("introspect_authentication_first/no_look_up_without_authentication", func(t *testing.T) {
		uncached := w.token(t, w.app, "")
		before := w.store.Calls("GetToken")
		for range 20 {
			failed("", call{}).check(t, w.send(t, about(uncached)))
			failed("", call{}).check(t, w.send(t, about(uncached, basicOf("rs", wrong))))
		}
		if got := w.store.Calls("GetToken"); got != before {
			t.Errorf("%d look-ups", got-before)
		}
	})
	t.Run("introspect_malformed/no_look_up_of_garbage", func(t *testing.T) {
		before := w.store.Calls("GetToken")
		wantInactive("", call{}).check(t, w.send(t, about(made, auth)))
		wantInactive("", call{}).check(t, w.send(t, about(strings.Repeat("a", 43), auth)))
		if w.store.Calls("GetToken") != before {
			t.Error("looked up")
		}
	})
}

func TestIntrospectionFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	org := w.client(t, "org-client", appScope, func(s *clients.NewSpec) { s.OrgID = "h5D8B5gyHtk=" })
	token := w.token(t, org, "users:read")
	r := w.send(t, about(token, basic(w.rs)))
	body := r.JSON(t)
	t.Run("introspect_members/fields", func(t *testing.T) {
		for name, want := range map[string]any{
			"active": true, "scope": "users:read", "client_id": "org-client", "token_type": "Bearer",
			"sub": "client:org-client", "iss": w.URL, "token_use": "client", "org_id": "h5D8B5gyHtk=",
		} {
			if body[name] != want {
				t.Errorf("%s: %v, want %v", name, body[name], want)
			}
		}
		exp, iat := body["exp"].(float64), body["iat"].(float64)
		if exp-iat != 3600 || iat != float64(int64(iat)) {
			t.Errorf("exp %v, iat %v", exp, iat)
		}
	})
	t.Run("introspect_members/nothing_else", func(t *testing.T) {
		known := []string{"active", "scope", "client_id", "token_type", "exp", "iat", "sub", "iss", "jti", "token_use", "org_id"}
		for name := range body {
			if !slices.Contains(known, name) {
				t.Errorf("unexpected %s", name)
			}
		}
		if len(body) != len(known) {
			t.Errorf("%d members, want %d: %s", len(body), len(known), r.Body)
		}
	})
	t.Run("introspect_members/the_id_is_not_the_token", func(t *testing.T) {
		if strings.Contains(token, body["jti"].(string)) {
			t.Error("jti is part of the token")
		}
	})
	// A token is valid from its first moment.
	t.Run("no_nbf", func(t *testing.T) {
		if _, ok := body["nbf"]; ok {
			t.Error("nbf is present")
		}
	})
	// Tokens are bound neither to certificates nor to DPoP keys, and a proof
	// is ignored.
	t.Run("no_cnf", func(t *testing.T) {
		if _, ok := body["cnf"]; ok {
			t.Error("cnf is present")
		}
	})
	t.Run("dpop_is_ignored", func(t *testing.T) {
		r := w.send(t, ask(grant, basic(w.app), "DPoP: eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.x"))
		if got := r.JSON(t)["token_type"]; got != "Bearer" {
			t.Errorf("token_type %v", got)
		}
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cached, uncached := w.token(t, w.app, ""), w.token(t, w.app, "")
	exp := int64(w.send(t, about(cached, basic(w.rs))).JSON(t)["exp"].(float64))
	to := func(at time.Time) { w.Clock.Add(at.Sub(w.Clock.Now())) }
	to(time.Unix(exp, 0).Add(-10 * time.Second))
	t.Run("introspect_expired/just_before_exp", func(t *testing.T) {
		if !w.introspect(t, w.rs, cached) {
			t.Error("inactive")
		}
	})
	to(time.Unix(exp, 0))
	w.run(t, []row{
		wantInactive("introspect_expired/at_exp_cached", about(cached, basic(w.rs))),
		wantInactive("introspect_expired/at_exp_again", about(cached, basic(w.rs))),
		granted("revoke_again/expired", form("/oauth/revoke", "token="+cached, basic(w.app))),
	})
	to(time.Unix(exp, 0).Add(2 * time.Second)) // the second token may have been issued a second later
	w.run(t, []row{
		wantInactive("introspect_expired/expired_not_cached", about(uncached, basic(w.rs))),
		wantInactive("introspect_expired/made_up_after_it", about(strings.Repeat("a", 43), basic(w.rs))),
	})
}

// A token ends with its client, and with its secret if that is asked for.
func TestIntrospectionAfterVoid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := audit.Actor{Name: "test"}
	for name, end := range map[string]func(c clients.Created) error{
		"introspect_after_void/deactivated": func(c clients.Created) error {
			_, err := w.Clients().Deactivate(t.Context(), by, c.ClientID)
			return err
		},
		"introspect_after_void/deleted": func(c clients.Created) error { return w.Clients().Delete(t.Context(), by, c.ClientID, 0) },
		"introspect_after_void/void_tokens": func(c clients.Created) error {
			_, err := w.Clients().VoidTokens(t.Context(), by, c.ClientID)
			return err
		},
		"introspect_after_void/secret_ended_with_its_tokens": func(c clients.Created) error {
			return w.Clients().EndSecret(t.Context(), by, c.ClientID, c.SecretID, true)
		},
	} {
		c := w.client(t, path.Base(name), appScope)
		cached, uncached, other := w.token(t, c, ""), w.token(t, c, ""), w.token(t, w.app, "")
		if !w.introspect(t, w.rs, cached) {
			t.Fatal("not active")
		}
		if err := end(c); err != nil {
			t.Fatal(err)
		}
		w.run(t, []row{
			wantInactive(name+"_cached", about(cached, basic(w.rs))),
			wantInactive(name+"_not_cached", about(uncached, basic(w.rs))),
			wantActive(name+"_others_stay", about(other, basic(w.rs))),
		})
	}
	t.Run("introspect_after_void/secret_ended_without_its_tokens", func(t *testing.T) {
		c := w.client(t, "kept", appScope)
		token := w.token(t, c, "")
		if err := w.Clients().EndSecret(t.Context(), by, c.ClientID, c.SecretID, false); err != nil {
			t.Fatal(err)
		}
		if !w.introspect(t, w.rs, token) {
			t.Error("inactive")
		}
	})
	t.Run("introspect_after_void/reactivated_client_old_token", func(t *testing.T) {
		c := w.client(t, "back", appScope)
		token := w.token(t, c, "")
		for _, step := range []func() error{
			func() error { _, err := w.Clients().Deactivate(t.Context(), by, c.ClientID); return err },
			func() error { _, err := w.Clients().Reactivate(t.Context(), by, c.ClientID); return err },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if w.introspect(t, w.rs, token) || !w.introspect(t, w.rs, w.token(t, c, "")) {
			t.Error("the old token is active, or a new one is not")
		}
	})
}

// All inactive tokens get the same response (RFC 7662 §2.2). Time is not
// measured here: unknown and known tokens differ by one look-up in the store,
// and made-up ones never reach it.
func TestInactiveLooksAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	revoked := w.token(t, w.app, "")
	granted("", call{}).check(t, w.send(t, form("/oauth/revoke", "token="+revoked, basic(w.app))))
	want := w.send(t, about("made-up-0123456789", basic(w.rs)))
	wantInactive("", call{}).check(t, want)
	for name, token := range map[string]string{
		"inactive_looks_alike/revoked":   revoked,
		"inactive_looks_alike/other_use": w.planted(t, func(r *store.Token) { r.Use, r.CustomerID = store.UseCustomer, "10001" }),
		"inactive_looks_alike/other_aud": w.planted(t, func(r *store.Token) { r.Audience = []string{"https://a.example"} }),
		"inactive_looks_alike/no_record": w.planted(t, func(r *store.Token) { r.Revoked = &store.Revocation{At: time.Now(), By: "test"} }),
	} {
		t.Run(name, func(t *testing.T) {
			got := w.send(t, about(token, basic(w.rs)))
			if got.Body != want.Body || !equal(comparable(got.Header), comparable(want.Header)) {
				t.Errorf("differs: %s %v", got.Body, got.Header)
			}
		})
	}
}

// A resource server may authenticate with a bearer token instead of its secret
// (RFC 7662 §2.1, RFC 6750 §3).
func TestBearerIntrospection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := audit.Actor{Name: "test"}
	mixed := w.client(t, "mixed", "introspect users:read", func(s *clients.NewSpec) {
		s.TokenUses = &[]store.TokenUse{store.UseClient, store.UseCustomer}
	})
	token := w.token(t, w.app, "")
	right, lacking := w.token(t, w.rs, "introspect"), w.token(t, mixed, "users:read")
	customers := w.planted(t, func(r *store.Token) { r.Use, r.CustomerID = store.UseCustomer, "10001" })
	otherUse := w.planted(t, func(r *store.Token) {
		r.Use, r.CustomerID, r.ClientID, r.Scopes = store.UseCustomer, "10001", "mixed", "introspect"
	})
	partner := w.planted(t, func(r *store.Token) {
		r.Use, r.PartnerID, r.ClientID, r.Scopes = store.UsePartner, "acme", "", "introspect"
	})
	revoked := w.token(t, w.rs, "introspect")
	granted("", call{}).check(t, w.send(t, form("/oauth/revoke", "token="+revoked, basic(w.rs))))
	off := w.client(t, "off", "introspect")
	ofDeactivated := w.token(t, off, "introspect")
	if _, err := w.Clients().Deactivate(t.Context(), by, "off"); err != nil {
		t.Fatal(err)
	}
	invalid := func(name, header string) row {
		return row{name: name, call: about(token, header), status: 401, code: "invalid_token",
			header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd", error="invalid_token"`}}
	}
	w.run(t, []row{
		wantActive("introspect_active/bearer", about(token, bearer(right))),
		wantActive("introspect_active/bearer_lower_case", about(token, "Authorization: bearer "+right)),
		wantActive("introspect_active/bearer_and_client_id", form("/oauth/introspect", "client_id=rs&token="+token, bearer(right))),
		wantActive("introspect_visibility/bearer_has_the_opt_ins_of_its_client", about(customers, bearer(w.token(t, mixed, "introspect")))),
		wantInactive("introspect_visibility/bearer_without_opt_in", about(customers, bearer(right))),
		invalid("introspect_invalid_bearer/made_up", bearer("made-up-0123456789")),
		invalid("introspect_invalid_bearer/empty", "Authorization: Bearer"),
		invalid("introspect_invalid_bearer/two_words", bearer(right+" x")),
		invalid("introspect_invalid_bearer/strange_characters", bearer(`"<é>`)),
		invalid("introspect_invalid_bearer/revoked", bearer(revoked)),
		invalid("introspect_invalid_bearer/of_a_deactivated_client", bearer(ofDeactivated)),
		invalid("introspect_invalid_bearer/customer_token", bearer(otherUse)),
		invalid("introspect_invalid_bearer/partner_token", bearer(partner)),
		{name: "introspect_bearer_scope/lacks_the_scope", call: about(token, bearer(lacking)), status: 403, code: "insufficient_scope",
			header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd", error="insufficient_scope", scope="introspect"`}},
		{name: "introspect_bearer_scope/lacks_the_scope_garbage", call: about("x", bearer(lacking)), status: 403, code: "insufficient_scope"},
		{name: "introspect_itself", call: about(right, bearer(right)), status: 401, code: "invalid_token", says: "introspect itself"},
		{name: "introspect_itself/without_the_right", call: about(token, bearer(token)), status: 401, code: "invalid_token"},
		refused("two_methods/bearer_and_secret", form("/oauth/introspect", "token="+token+credentials(w.rs), bearer(right)), twoMethods),
		refused("two_authorization_headers/bearer_and_basic", about(token, bearer(right), basic(w.rs)), "more than one Authorization header"),
	})
	w.Clock.Add(time.Hour)
	w.run(t, []row{invalid("introspect_invalid_bearer/expired", bearer(right))})
}
