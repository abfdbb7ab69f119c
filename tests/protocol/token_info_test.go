package protocol_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

const (
	infoPath     = "/oauth/token/info"
	identityPath = "/identity"
)

// describe asks about the token with itself as bearer.
func describe(token string, headers ...string) call {
	return get(infoPath, append(headers, bearer(token))...)
}

// identify is describe for the JSON:API document.
func identify(token string, headers ...string) call {
	return get(identityPath, append(headers, bearer(token))...)
}

// notHeld makes the row of a bearer about which nothing is said: all of them get one
// response.
func notHeld(name string, c call) row {
	r := notActive(name, c)
	r.body = `{"error":"invalid_token","error_description":"the bearer token is not active, is not for this server, or is not allowed from this address"}`
	if strings.HasPrefix(c.target, identityPath) {
		r.body = `{"errors":[{"status":"401","code":"invalid_token","title":"Unauthorized","detail":"the bearer token is not active, is not for this server, or is not allowed from this address"}]}`
	}
	return r
}

// What the holder of a token learns, in both forms.
func TestTokenInfo(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	issued := a.Clock.Now().UTC().Truncate(time.Second)
	for _, use := range []struct {
		name      string
		token     string
		want      map[string]any // of token info, besides the times
		identity  map[string]any
		id        string
		expiresIn time.Duration
	}{
		{"client", a.world.token(t, a.app, "users:read users:write"),
			map[string]any{"scope": []any{"users:read", "users:write"}, "application": map[string]any{"uid": "app"}, "token_use": "client", "sub": "client:app"},
			map[string]any{"tokenUse": "client", "scope": "users:read users:write", "clientId": "app"}, "client:app", time.Hour},
		{"client_for_grantd", a.planted(t, func(r *store.Token) { r.OrgID, r.Audience = "o1", []string{cards, a.URL} }),
			map[string]any{"scope": []any{"users:read", "users:write"}, "application": map[string]any{"uid": "app"}, "token_use": "client", "sub": "client:app", "org_id": "o1"},
			map[string]any{"tokenUse": "client", "scope": "users:read users:write", "clientId": "app", "orgId": "o1"}, "client:app", time.Hour},
		{"customer_with_resources", a.planted(t, func(r *store.Token) {
			r.Use, r.OrgID, r.CustomerID, r.Resources, r.Upgradable = store.UseCustomer, "o1", "10001", cardsOf("12", "13"), "cards-write"
		}),
			map[string]any{"scope": []any{"users:read", "users:write"}, "application": map[string]any{"uid": "app"}, "token_use": "customer", "sub": "customer:10001", "org_id": "o1", "customer_id": "10001",
				"resources": []any{map[string]any{"type": "card", "ids": []any{"12", "13"}}}},
			map[string]any{"tokenUse": "customer", "scope": "users:read users:write", "clientId": "app", "orgId": "o1", "customerId": "10001",
				"resources": []any{map[string]any{"type": "card", "ids": []any{"12", "13"}}}}, "customer:10001", time.Hour},
		{"on_behalf_with_endpoints_and_addresses", a.planted(t, func(r *store.Token) {
			r.Use, r.OrgID, r.PartnerID, r.PartnerTID, r.ClientID, r.SecretID = store.UseOnBehalf, sharedTwo, hurdlr, a.id, "", ""
			r.SourceIPs, r.Endpoints = []string{"127.0.0.0/8", "2001:db8::/32"}, []string{"GET /cards", "HEAD /cards"}
		}),
			map[string]any{"scope": []any{"users:read", "users:write"}, "application": map[string]any{"uid": nil}, "token_use": "on_behalf", "sub": "org:" + sharedTwo, "org_id": sharedTwo, "partner_id": hurdlr,
				"source_ips": []any{"127.0.0.0/8", "2001:db8::/32"}, "endpoints": []any{"GET /cards", "HEAD /cards"}},
			map[string]any{"tokenUse": "on_behalf", "scope": "users:read users:write", "orgId": sharedTwo, "partnerId": hurdlr,
				"sourceIp": "127.0.0.0/8,2001:db8::/32", "endpoints": []any{"GET /cards", "HEAD /cards"}}, "org:" + sharedTwo, time.Hour},
		{"partner", a.token,
			map[string]any{"scope": []any{}, "application": map[string]any{"uid": nil}, "token_use": "partner", "sub": "partner:hurdlr", "partner_id": hurdlr},
			map[string]any{"tokenUse": "partner", "scope": "", "partnerId": hurdlr}, "partner:hurdlr", 90 * 24 * time.Hour},
	} {
		t.Run("token_info/"+use.name, func(t *testing.T) {
			r := a.send(t, describe(use.token))
			got := r.JSON(t)
			created, expires, in := got["created_at"].(float64), got["expires_at"].(float64), got["expires_in"].(float64)
			if created < float64(issued.Unix()-1) || expires-created != use.expiresIn.Seconds() || in > use.expiresIn.Seconds() || in < use.expiresIn.Seconds()-60 {
				t.Errorf("created_at %v, expires_at %v, expires_in %v", created, expires, in)
			}
			use.want["created_at"], use.want["expires_at"], use.want["expires_in"], use.want["resource_owner_id"] = created, expires, in, nil
			if d := cmp.Diff(use.want, got); r.Status != 200 || d != "" || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s (-want +got)\n%s", r.Status, r.Header.Get("Content-Type"), d)
			}
			doc := a.send(t, identify(use.token))
			use.identity["createdAt"] = time.Unix(int64(created), 0).UTC().Format(time.RFC3339)
			use.identity["expiration"] = time.Unix(int64(expires), 0).UTC().Format(time.RFC3339)
			want := map[string]any{"data": map[string]any{"type": "identity", "id": use.id, "attributes": use.identity}}
			if d := cmp.Diff(want, doc.JSON(t)); doc.Status != 200 || d != "" || doc.Header.Get("Content-Type") != "application/vnd.api+json" {
				t.Errorf("%d %s (-want +got)\n%s", doc.Status, doc.Header.Get("Content-Type"), d)
			}
			for _, c := range []call{describe(use.token), identify(use.token)} {
				c.method = "HEAD"
				if r := a.send(t, c); r.Status != 200 || r.Body != "" {
					t.Errorf("HEAD %s: %d %s", c.target, r.Status, r.Body)
				}
			}
		})
	}
	a.Clock.Add(59 * time.Minute)
	t.Run("token_info/expires_in_is_what_is_left", func(t *testing.T) {
		token := a.world.token(t, a.app, "")
		a.Clock.Add(59*time.Minute + 59*time.Second)
		if in := a.send(t, describe(token)).JSON(t)["expires_in"]; in != 0.0 && in != 1.0 {
			t.Errorf("expires_in %v in the last second", in)
		}
		a.Clock.Add(time.Second)
		notHeld("", describe(token)).check(t, a.send(t, describe(token)))
	})
}

// Tokens that tell nothing, and requests without a token or with several.
func TestTokenInfoRefused(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	bad := a.badBearers(t)
	for _, good := range []string{"client", "customer", "on_behalf"} {
		delete(bad, good)
	}
	life := int64(60)
	bad["expired_client"] = a.world.token(t, a.world.client(t, "short", appScope, func(s *clients.NewSpec) { s.TokenTTL = &life }), "")
	bad["of_a_deleted_client"] = a.world.token(t, a.world.client(t, "gone", appScope), "")
	a.admin(t, "DELETE", "/clients/gone", nil)
	bad["revoked_client"] = a.world.token(t, a.app, "")
	a.send(t, revoke(bad["revoked_client"], basic(a.app)))
	bad["for_another_audience"] = a.planted(t, func(r *store.Token) { r.Audience = []string{cards, a.URL + "/"} })
	bad["for_other_addresses"] = a.planted(t, func(r *store.Token) { r.SourceIPs = []string{"192.0.2.0/24", "::/0"} })
	bad["of_another_client_that_is_voided"] = a.world.token(t, a.other, "")
	a.admin(t, "POST", "/clients/other/void-tokens", nil)
	bad["live_client"] = strings.Replace(bad["revoked_client"], "_sandbox_", "_live_", 1)
	bad["client_id"] = "app"
	a.Clock.Add(time.Minute + time.Second)
	good := a.world.token(t, a.app, "")
	inForm := func(c call, body string) call {
		c.body, c.headers = body, append(c.headers, formType)
		return c
	}
	var rows []row
	for _, path := range []string{infoPath, identityPath} {
		challenged := func(name, challenge string, c call) row {
			return row{name: name, call: c, status: 401, code: "invalid_token", header: map[string]string{"WWW-Authenticate": challenge}}
		}
		const bare, invalid = `Bearer realm="grantd"`, `Bearer realm="grantd", error="invalid_token"`
		for why, token := range bad {
			rows = append(rows, notHeld("token_info_refused/"+why+path, get(path, bearer(token))))
		}
		rows = append(rows,
			challenged("token_info_refused/no_token"+path, bare, get(path)),
			challenged("token_info_refused/empty_token"+path, bare, get(path, "Authorization: Bearer ")),
			challenged("token_info_refused/basic"+path, bare, get(path, basic(a.app))),
			challenged("token_info_refused/another_scheme"+path, bare, get(path, "Authorization: Token "+good)),
			challenged("token_info_one_token/two_headers"+path, invalid, get(path, bearer(good), bearer(good))),
			challenged("token_info_one_token/two_schemes"+path, invalid, get(path, bearer(good), basic(a.app))),
			challenged("token_info_one_token/header_and_form"+path, invalid, inForm(get(path, bearer(good)), "access_token="+good)),
			challenged("token_info_one_token/only_in_form"+path, bare, inForm(get(path), "access_token="+good)),
			row{name: "token_info_one_token/other_form" + path, call: inForm(get(path, bearer(good)), "x=y"), status: 200},
		)
		for _, name := range []string{"access_token", "token", "bearer_token", "access%5Ftoken"} {
			for what, headers := range map[string][]string{"alone": nil, "beside_a_header": {bearer(good)}} {
				rows = append(rows, row{name: "token_info_one_token/" + name + "_in_the_URL_" + what + path, call: get(path+"?"+name+"="+good, headers...), status: 400, code: badRequest, says: "must not be in the URL"})
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			rows = append(rows, row{name: "token_info/" + method + path, call: call{method: method, target: path, headers: []string{bearer(good)}}, status: 405, code: badRequest, header: map[string]string{"Allow": "GET, HEAD", "Access-Control-Allow-Origin": ""}})
		}
	}
	rows = append(rows,
		row{name: "token_info/unknown_query_parameter", call: get(infoPath+"?x=y", bearer(good)), status: 200},
		row{name: "identity/unknown_query_parameter", call: get(identityPath+"?include=org", bearer(good)), status: 400, code: badRequest, says: "no query parameters"},
		row{name: "identity/query_before_bearer", call: get(identityPath + "?x"), status: 400, code: badRequest},
		row{name: "token_info/scheme_in_lower_case", call: get(infoPath, "authorization: bearer  "+good), status: 200},
		row{name: "exact_path/token_info_slash", call: get(infoPath+"/", bearer(good)), status: 404, code: "not_found"},
		row{name: "exact_path/identity_below", call: get(identityPath+"/app", bearer(good)), status: 404, code: "not_found"},
	)
	a.run(t, rows)
}

// What cannot be read is 503, never 401.
func TestTokenInfoUnavailable(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	cached := a.world.token(t, a.app, "")
	granted("", call{}).check(t, a.send(t, describe(cached)))
	for method, token := range map[string]string{"GetToken": a.world.token(t, a.app, ""), "GetPartner": a.token} {
		t.Run(method, func(t *testing.T) {
			a.store.Fail(method, store.ErrUnavailable)
			defer a.store.Heal(method)
			a.run(t, []row{
				down("token_info_unavailable/info", describe(token)), down("token_info_unavailable/identity", identify(token)),
				granted("token_info_unavailable/cached", describe(cached)), notHeld("token_info_unavailable/garbage_needs_no_store", describe("made-up-0123456789")),
			})
		})
	}
}

// A cached token that nobody can confirm is 503: another replica may have ended it.
func TestTokenInfoWithoutTheFeed(t *testing.T) {
	t.Parallel()
	proxy := harness.StartProxy(t, redistest.Start(t).Addr)
	a := &alliance{world: startWorld(t, func(o ...harness.Options) *harness.Server { return harness.Start(t, o...) },
		harness.Options{Edit: func(c *config.Config) {
			harness.OnRedis(proxy.Addr)(c)
			c.Cache.MaxStaleness = harness.QuickStaleness
		}})}
	a.populate(t)
	a.agree(t)
	cached := a.world.token(t, a.app, "")
	granted("", call{}).check(t, a.send(t, describe(cached)))
	proxy.Set(harness.Refusing)
	defer proxy.Set(harness.Passing)
	poll.AwaitTrue(t, poll.Patience, "503 for a cached token", func() bool { return a.send(t, describe(cached)).Status == 503 })
	a.run(t, []row{
		down("token_info_unavailable/feed_not_fresh", describe(cached)), down("token_info_unavailable/feed_not_fresh_identity", identify(cached)),
		down("token_info_unavailable/feed_not_fresh_partner", describe(a.token)),
	})
}

// The log says whose token it was, and why it was refused, and never the token.
func TestTokenInfoInTheLog(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	token := a.world.token(t, a.app, "")
	a.send(t, describe(token))
	a.send(t, describe(a.token))
	a.send(t, revoke(token, basic(a.app)))
	a.send(t, describe(token))
	bound, boundID := a.partnerToken(t, hurdlr, map[string]any{"source_ips": []string{"192.0.2.0/24"}})
	a.send(t, describe(bound))
	a.send(t, get(infoPath+"?access_token="+token))
	a.send(t, describe(strings.Replace(token, "_sandbox_", "_live_", 1)))
	for _, want := range []string{
		`"route":"/oauth/token/info","status":200,.*"client_id":"app","jti":"`, `"route":"/oauth/token/info","status":200,.*"partner_id":"hurdlr","partner_token_id":"` + a.id,
		`"route":"/oauth/token/info","status":401,.*"cause":"revoked"`, `"route":"/oauth/token/info","status":401,.*"partner_token_id":"` + boundID + `".*"cause":"`,
		`"route":"/oauth/token/info","status":400,.*"note":"credential exposed in the URL"`, `"route":"/oauth/token/info","status":401,.*"note":"token of the other environment presented"`,
	} {
		if !regexp.MustCompile(want).MatchString(a.Logs.String()) {
			t.Errorf("no %s in the log", want)
		}
	}
}

// Both paths work on both stores, and a partner's question counts as a use of its token.
func TestTokenInfoOnEachStore(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		a := &alliance{world: startWorld(t, start, harness.Options{})}
		a.populate(t)
		a.agree(t)
		for name, token := range map[string]string{
			"client": a.world.token(t, a.app, ""), "partner": a.token, "on_behalf": a.onBehalf(t, a.token, sharedTwo, "cards", `,"sourceIp":"127.0.0.0/8"`),
			"exchanged": a.send(t, ask(trade(a.token, sharedTwo))).JSON(t)["access_token"].(string),
		} {
			a.run(t, []row{granted("token_info/"+name, describe(token)), granted("identity/"+name, identify(token))})
		}
		other, id := a.partnerToken(t, hurdlr, nil)
		a.send(t, describe(other))
		poll.AwaitTrue(t, poll.Patience, "the last use of the partner token", func() bool {
			for _, v := range a.admin(t, "GET", "/partners/"+hurdlr+"/tokens", nil).JSON(t)["tokens"].([]any) {
				if token := v.(map[string]any); token["token_id"] == id {
					return token["use_count"] == 1.0
				}
			}
			return false
		})
	})
}
