package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// overTCP switches on the TCP listener of the admin API.
func overTCP(more ...func(*config.Config)) harness.Options {
	return harness.Options{Edit: func(c *config.Config) {
		c.Admin.Listen = "127.0.0.1:0"
		for _, edit := range more {
			edit(c)
		}
	}}
}

// remote is a caller of the admin API over TCP.
type remote struct {
	s             *harness.Server
	authorization []string
	header        map[string]string
}

func bearer(s *harness.Server, token string) remote {
	return remote{s: s, authorization: []string{"Bearer " + token}}
}

func (r remote) do(t *testing.T, method, path string, body any) harness.Response {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.s.Server.URL("admin")+"/admin/v1"+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	req.Header["Authorization"] = r.authorization
	return harness.Do(t, nil, req)
}

// operators creates a client that may read and one that may also write.
func operators(t *testing.T, s *harness.Server) (reader, writer remote) {
	t.Helper()
	r := s.NewClient(t, "dashboard", "admin:read users:read")
	w := s.NewClient(t, "terraform", "admin:write")
	return bearer(s, s.Token(t, r, "admin:read")), bearer(s, s.Token(t, w, "admin:write"))
}

func TestAdminOverTCP(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(overTCP())
		reader, writer := operators(t, s)
		s.NewClient(t, "billing", "users:read")
		one := object{"customers": []object{line("10002", "acme")}}
		for _, tc := range []struct {
			method, path string
			body         any
			reads        bool
			status       int
		}{
			{"GET", "/clients", nil, true, 200},
			{"GET", "/clients/billing", nil, true, 200},
			{"GET", "/clients/billing/secrets", nil, true, 200},
			{"GET", "/clients/nobody", nil, true, 404},
			{"GET", "/audit", nil, true, 200},
			{"GET", "/scopes", nil, true, 200},
			{"POST", "/tokens/explain", object{"token": "x"}, true, 200},
			{"POST", "/clients", object{"client_id": "new", "scope": "users:read"}, false, 201},
			{"PATCH", "/clients/billing", object{"name": "B"}, false, 200},
			{"POST", "/clients/billing/secrets", object{"grace": "1h"}, false, 201},
			{"POST", "/clients/billing/void-tokens", nil, false, 200},
			{"POST", "/clients/billing/deactivate", nil, false, 200},
			{"POST", "/clients/billing/reactivate", nil, false, 200},
			{"DELETE", "/clients/billing/secrets/AAAAAAAA", nil, false, 404},
			{"POST", "/tokens/revoke", object{"token": "x"}, false, 404},
			{"POST", "/leaks", object{"credential": "x"}, false, 404},
			{"DELETE", "/clients/new", nil, false, 204},
			{"GET", "/orgs", nil, true, 200},
			{"GET", "/orgs/nobody", nil, true, 404},
			{"PUT", "/orgs/acme", object{"name": "Acme"}, false, 201},
			{"POST", "/orgs/acme/void-tokens", nil, false, 200},
			{"POST", "/orgs/acme/deactivate", nil, false, 200},
			{"POST", "/orgs/acme/reactivate", nil, false, 200},
			{"GET", "/customers", nil, true, 200},
			{"GET", "/customers/nobody", nil, true, 404},
			{"PUT", "/customers/10001", person("acme"), false, 201},
			{"POST", "/customers/search", object{"org_id": "acme"}, true, 200},
			{"POST", "/customers/search", object{"phone": "+15555550136"}, false, 200}, // tells whose number it is, which is masked elsewhere
			{"POST", "/clients/import", object{"check": true, "clients": []object{importedLine("moved")}}, false, 200},
			{"POST", "/customers/import", one, false, 200},
			{"POST", "/customers/import", object{"check": true, "customers": one["customers"]}, false, 200}, // tells what is stored, so it needs admin:write
			{"POST", "/customers/10001/reset-codes", nil, false, 200},
			{"POST", "/customers/10001/void-tokens", nil, false, 200},
			{"POST", "/customers/10001/deactivate", nil, false, 200},
			{"POST", "/customers/10001/reactivate", nil, false, 200},
			{"DELETE", "/customers/10001", nil, false, 204},
			{"DELETE", "/orgs/acme?with_clients_and_customers=true", nil, false, 200},
			{"POST", "/tokens/void-all", nil, false, 200}, // ends the writer's own token too, so it comes last
		} {
			name := tc.method + " " + tc.path
			r := reader.do(t, tc.method, tc.path, tc.body)
			switch {
			case tc.reads && r.Status != tc.status:
				t.Errorf("%s with admin:read: %d %s", name, r.Status, r.Body)
			case !tc.reads:
				refusedFor(t, r, "admin:write", name+" with admin:read")
			}
			if r := writer.do(t, tc.method, tc.path, tc.body); r.Status != tc.status {
				t.Errorf("%s with admin:write: %d %s, want %d", name, r.Status, r.Body, tc.status)
			}
		}
		if r := writer.do(t, "GET", "/clients", nil); r.Status != 401 {
			t.Errorf("after void-all: %d %s", r.Status, r.Body)
		}
	})
}

// refusedFor checks for a 403 that names the needed scope (RFC 6750 §3.1).
func refusedFor(t *testing.T, r harness.Response, scope, what string) {
	t.Helper()
	challenge := `Bearer realm="grantd", error="insufficient_scope", scope="` + scope + `"`
	if r.Status != 403 || r.JSON(t)["error"] != "insufficient_scope" || r.Header.Get("WWW-Authenticate") != challenge {
		t.Errorf("%s: %d %s, challenge %q", what, r.Status, r.Body, r.Header.Get("WWW-Authenticate"))
	}
}

func TestAdminTokens(t *testing.T) {
	t.Parallel()
	kept, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	forged := &replacing{Store: kept}
	o := overTCP()
	o.Use = forged
	s := harness.Start(t, o)
	w := s.NewClient(t, "terraform", "admin:write users:read")
	wide := s.NewClient(t, "wide", "admin:read", func(c *clients.NewSpec) { c.Resources = &[]string{"https://api.example", s.URL} })
	mint := func() string { return s.Token(t, w, "admin:write") }

	revoked := mint()
	if r := s.Form(t, "/oauth/revoke", w.ClientID, w.ClientSecret, url.Values{"token": {revoked}}); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	off := s.NewClient(t, "off", "admin:write")
	ofDeactivated := s.Token(t, off, "admin:write")
	if _, err := s.Clients().Deactivate(t.Context(), audit.Actor{Name: "test"}, "off"); err != nil {
		t.Fatal(err)
	}
	bound := func(resource string) string {
		r := s.Form(t, "/oauth/token", wide.ClientID, wide.ClientSecret, url.Values{"grant_type": {"client_credentials"}, "scope": {"admin:read"}, "resource": {resource}})
		if r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		return r.JSON(t)["access_token"].(string)
	}
	// as returns a token whose record was changed before it was stored.
	as := func(change func(*store.Token)) string {
		forged.change = change
		defer func() { forged.change = nil }()
		return mint()
	}
	const bare = `Bearer realm="grantd"`
	const invalid = bare + `, error="invalid_token"`
	good := mint()
	for name, tc := range map[string]struct {
		header    []string
		status    int
		challenge string
	}{
		"no header":               {nil, 401, bare},
		"empty token":             {[]string{"Bearer "}, 401, bare},
		"Basic":                   {[]string{"Basic dGVycmFmb3JtOng="}, 401, bare},
		"two headers":             {[]string{"Bearer " + good, "Bearer " + good}, 401, bare},
		"made up":                 {[]string{"Bearer made-up"}, 401, invalid},
		"a secret":                {[]string{"Bearer " + w.ClientSecret}, 401, invalid},
		"revoked":                 {[]string{"Bearer " + revoked}, 401, invalid},
		"of a deactivated client": {[]string{"Bearer " + ofDeactivated}, 401, invalid},
		"for another audience":    {[]string{"Bearer " + bound("https://api.example")}, 401, invalid},
		"for this audience":       {[]string{"Bearer " + bound(s.URL)}, 200, ""},
		"of a customer":           {[]string{"Bearer " + as(func(x *store.Token) { x.Use = store.UseCustomer })}, 401, invalid},
		"on behalf":               {[]string{"Bearer " + as(func(x *store.Token) { x.Use = store.UseOnBehalf })}, 401, invalid},
		"of a partner":            {[]string{"Bearer " + as(func(x *store.Token) { x.Use = store.UsePartner })}, 401, invalid},
		"bound to this address":   {[]string{"Bearer " + as(func(x *store.Token) { x.SourceIPs = []string{"127.0.0.0/8"} })}, 200, ""},
		"bound to other ones":     {[]string{"Bearer " + as(func(x *store.Token) { x.SourceIPs = []string{"192.0.2.0/24", "::1"} })}, 401, invalid},
		"with endpoints":          {[]string{"Bearer " + as(func(x *store.Token) { x.Endpoints = []string{"GET /clients"} })}, 401, invalid},
		"another scope":           {[]string{"Bearer " + s.Token(t, w, "users:read")}, 403, bare + `, error="insufficient_scope", scope="admin:read"`},
		"good":                    {[]string{"Bearer " + good}, 200, ""},
		"scheme in lower case":    {[]string{"bearer " + good}, 200, ""},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			r := remote{s: s, authorization: tc.header}.do(t, "GET", "/clients", nil)
			if r.Status != tc.status || r.Header.Get("WWW-Authenticate") != tc.challenge {
				t.Errorf("%d %s, challenge %q", r.Status, r.Body, r.Header.Get("WWW-Authenticate"))
			}
			if r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", r.Header)
			}
		})
	}
	t.Run("in_the_URL", func(t *testing.T) {
		if r := (remote{s: s}).do(t, "GET", "/clients?access_token="+good, nil); r.Status < 400 || r.Status >= 500 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if strings.Contains(s.Logs.String(), good) {
			t.Error("the token is in the log")
		}
	})
	t.Run("expired", func(t *testing.T) {
		s.Clock.Add(2 * time.Hour)
		if r := bearer(s, good).do(t, "GET", "/clients", nil); r.Status != 401 || r.Header.Get("WWW-Authenticate") != invalid {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// replacing is a store that changes tokens before it stores them.
type replacing struct {
	store.Store
	change func(*store.Token)
}

func (r *replacing) PutToken(ctx context.Context, d store.Digest, t store.Token) error {
	if r.change != nil {
		r.change(&t)
	}
	return r.Store.PutToken(ctx, d, t)
}

// The audit names the client and its address; a caller can forge neither.
func TestAdminActor(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, overTCP(func(c *config.Config) { c.Public.TrustedProxies = []string{"127.0.0.1"} }))
	_, writer := operators(t, s)
	writer.header = map[string]string{"X-Forwarded-For": "192.0.2.1", "X-Request-Id": "0123456789abcdef"}
	if r := writer.do(t, "POST", "/clients", object{"client_id": "a", "scope": "users:read"}); r.Status != 201 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	event := func(action, target string) object {
		for _, e := range do(t, s, "GET", "/audit", nil, 200)["events"].([]any) {
			if ev := e.(object); ev["action"] == action && ev["target"] == target {
				return ev
			}
		}
		t.Fatalf("the audit has no event %s of %s", action, target)
		return nil
	}
	if e := event("client.create", "client:a"); e["actor"] != "client:terraform" || e["address"] != "127.0.0.1" || e["request_id"] != "0123456789abcdef" {
		t.Errorf("%v", e)
	}

	// On the socket the actor is the uid that the kernel reports; tokens and
	// forwarded addresses are ignored.
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://grantd/admin/v1/clients", strings.NewReader(`{"client_id":"b","scope":"users:read"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer made-up"}, "X-Forwarded-For": {"192.0.2.1"}}
	if r := harness.Do(t, s.Admin, req); r.Status != 201 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	e := event("client.create", "client:b")
	if name, _ := e["actor"].(string); !strings.HasPrefix(name, "uid:") {
		t.Errorf("actor %v", e["actor"])
	}
	if a, _ := e["address"].(string); a != "" {
		t.Errorf("the event has the address that the caller sent: %q", a)
	}
	if strings.Contains(s.Logs.String(), "192.0.2.1") {
		t.Error("the log holds the address that the caller sent")
	}
}

// The admin API is only on the admin listener, and the public endpoints are only
// on the public one.
func TestAdminIsWhereItBelongs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, overTCP())
	_, writer := operators(t, s)
	for name, at := range map[string]string{"public": s.URL, "admin": s.Server.URL("admin")} {
		for path, status := range map[string]int{
			"/admin/v1/clients": map[string]int{"public": 404, "admin": 200}[name],
			"/oauth/token":      map[string]int{"public": 405, "admin": 404}[name],
			"/metrics":          404,
		} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", at+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header["Authorization"] = writer.authorization
			if r := harness.Do(t, nil, req); r.Status != status {
				t.Errorf("GET %s of the %s listener: %d, want %d", path, name, r.Status, status)
			}
		}
	}
	if u := harness.Start(t).Server.URL("admin"); u != "" {
		t.Errorf("without admin.listen there is %s", u)
	}
}

// When void-all returns, every earlier token is void on every replica.
func TestVoidAllOnTwoReplicas(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).Addr
	o := overTCP(harness.OnRedis(redis), func(c *config.Config) { c.Cache.MaxStaleness = 500 * time.Millisecond })
	a, b := harness.Start(t, o), harness.Start(t, o)
	rs, c := create(t, a, object{"client_id": "rs", "scope": "introspect"}), a.NewClient(t, "billing", "users:read")
	_, writer := operators(t, a)
	var tokens []string
	for range 5 {
		tokens = append(tokens, a.Token(t, c, ""), b.Token(t, c, ""))
	}
	for _, token := range tokens {
		if !active(t, a, rs, token) || !active(t, b, rs, token) { // in both caches
			t.Fatal("a new token is not active")
		}
	}
	writer.s = b
	r := writer.do(t, "POST", "/tokens/void-all", nil)
	if r.Status != 200 || r.JSON(t)["voided"] != "all" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for _, token := range tokens {
		if active(t, a, rs, token) || active(t, b, rs, token) {
			t.Error("a token outlived void-all")
		}
	}
	for _, s := range []*harness.Server{a, b} {
		fresh := s.Token(t, c, "")
		if !active(t, a, rs, fresh) || !active(t, b, rs, fresh) {
			t.Error("a token issued after void-all is not active")
		}
	}
	events := do(t, a, "GET", "/audit?limit=500", nil, 200)["events"].([]any)
	for _, e := range events {
		if ev := e.(object); ev["action"] == "token.void_all" {
			if ev["actor"] != "client:terraform" || ev["target"] != "all" || ev["outcome"] != "done" {
				t.Errorf("%v", ev)
			}
			return
		}
	}
	t.Error("void-all is not audited")
}
