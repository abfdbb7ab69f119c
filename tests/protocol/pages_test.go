package protocol_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// The origins of pages that may call, and of one that may not.
const (
	shop, local = "https://shop.example.com", "http://localhost:3000"
	strange     = "https://shop.example.net"
)

func from(origin string) string { return "Origin: " + origin }

// withPages lists the origins.
func withPages(c *config.Config) { c.Public.CORSOrigins = []string{shop, local} }

// preflight asks whether a page of the origin may call with the method and the
// headers.
func preflight(target, origin, method string, headers ...string) call {
	lines := []string{from(origin), "Access-Control-Request-Method: " + method}
	for _, h := range headers {
		lines = append(lines, "Access-Control-Request-Headers: "+h)
	}
	return call{method: "OPTIONS", target: target, headers: lines}
}

// pagePaths are the paths that pages may call.
var pagePaths = []string{"/customers/10001/token/verification", "/customers/10001/token", "/oauth/revoke"}

// noCORS is what a response has that no page may read.
var noCORS = map[string]string{
	"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "", "Access-Control-Allow-Headers": "",
	"Access-Control-Max-Age": "", "Access-Control-Expose-Headers": "", "Access-Control-Allow-Credentials": "",
}

// also returns the header lines and more.
func also(lines map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for name, value := range lines {
		all[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

func TestPreflights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPages)
	may := func(name string, c call, origin string) row {
		return row{name: name, call: c, status: 204, header: map[string]string{
			"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Access-Control-Allow-Methods": "POST",
			"Access-Control-Allow-Headers": "Authorization, Content-Type, Traceparent, Tracestate, X-Request-Id",
			"Access-Control-Max-Age":       "7200", "Access-Control-Allow-Credentials": "", "Content-Length": "", "Content-Type": "",
		}}
	}
	mayNot := func(name string, c call) row {
		return row{name: name, call: c, status: 403, code: "access_denied", header: also(noCORS, "Vary", "Origin")}
	}
	const both = "authorization,content-type"
	for _, path := range pagePaths {
		t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			w.run(t, []row{
				may("pages_preflight", preflight(path, shop, "POST", both), shop),
				may("pages_preflight/another_origin", preflight(path, local, "POST", both), local),
				may("pages_preflight/no_headers", preflight(path, shop, "POST"), shop),
				may("pages_preflight/empty_headers", preflight(path, shop, "POST", ""), shop),
				may("pages_preflight/spelling_of_headers", preflight(path, shop, "POST", "Authorization , CONTENT-TYPE", "x-request-id"), shop),
				may("pages_preflight/traces", preflight(path, shop, "POST", "authorization,content-type,traceparent,tracestate"), shop),
				mayNot("pages_refused/not_listed", preflight(path, strange, "POST", both)),
				mayNot("pages_refused/null", preflight(path, "null", "POST", both)),
				mayNot("pages_refused/star", preflight(path, "*", "POST", both)),
				mayNot("pages_refused/empty", preflight(path, "", "POST", both)),
				mayNot("pages_refused/http_for_https", preflight(path, "http://shop.example.com", "POST", both)),
				mayNot("pages_refused/https_for_http", preflight(path, "https://localhost:3000", "POST", both)),
				mayNot("pages_refused/another_port", preflight(path, "https://shop.example.com:8443", "POST", both)),
				mayNot("pages_refused/default_port", preflight(path, shop+":443", "POST", both)),
				mayNot("pages_refused/upper_case", preflight(path, "https://Shop.example.com", "POST", both)),
				mayNot("pages_refused/slash", preflight(path, shop+"/", "POST", both)),
				mayNot("pages_refused/a_name_that_begins_like_it", preflight(path, shop+".evil.example", "POST", both)),
				mayNot("pages_refused/a_name_that_ends_like_it", preflight(path, "https://evil-shop.example.com", "POST", both)),
				mayNot("pages_refused/two", preflight(path, shop+" "+local, "POST", both)),
				mayNot("pages_refused/twice", call{method: "OPTIONS", target: path, headers: []string{from(shop), from(shop), "Access-Control-Request-Method: POST"}}),
				mayNot("pages_refused/no_origin", call{method: "OPTIONS", target: path, headers: []string{"Access-Control-Request-Method: POST"}}),
				mayNot("pages_refused/a_token_as_origin", preflight(path, w.token(t, w.app, ""), "POST", both)),
				mayNot("pages_refused/another_method", preflight(path, shop, "DELETE", both)),
				mayNot("pages_refused/get", preflight(path, shop, "GET", both)),
				mayNot("pages_refused/method_in_lower_case", preflight(path, shop, "post", both)),
				mayNot("pages_refused/no_method", preflight(path, shop, "", both)),
				mayNot("pages_refused/another_header", preflight(path, shop, "POST", both+",x-custom")),
				mayNot("pages_refused/cookie", preflight(path, shop, "POST", "cookie")),
				{name: "pages_vary/not_a_preflight", call: call{method: "OPTIONS", target: path, headers: []string{from(shop)}}, status: 204,
					header: also(noCORS, "Vary", "Origin", "Allow", "OPTIONS, POST")},
			})
		})
	}
	t.Run("pages_refused/logged", func(t *testing.T) {
		logs := w.Logs.String()
		for _, want := range []string{
			`"origin":"https://shop.example.net"`, `"origin":"null"`, `"cause":"origin_not_listed"`, `"cause":"preflight_method"`, `"cause":"preflight_header"`,
			`"method":"OPTIONS","route":"/oauth/revoke","status":204`, `"method":"OPTIONS","route":"/customers/:id/token","status":403`,
		} {
			if !strings.Contains(logs, want) {
				t.Errorf("the log has no %s", want)
			}
		}
	})
}

// A page of a listed origin can read why it was refused. Others cannot, and get the
// same response apart from that.
func TestPagesReadErrors(t *testing.T) {
	t.Parallel()
	b := newBank(t, withPages, func(c *config.Config) { c.Limits.RevocationsPerClient.Count = 1 })
	b.send(t, revoke(b.world.token(t, b.second, ""), basic(b.second)))
	over := b.world.token(t, b.second, "")
	self := func(token string) call { return revoke(token, bearer(token)) }
	fresh := 0 // clients that have revoked nothing yet
	down := b.world.token(t, b.backend, "")
	for _, c := range []struct {
		name   string
		call   func() call
		status int
	}{
		{"revoked", func() call {
			fresh++
			return self(b.world.token(t, b.client(t, fmt.Sprint("fresh", fresh), appScope), ""))
		}, 200},
		{"not_authenticated", func() call { return revoke("x") }, 401},
		{"bad_bearer", func() call { return askToken(peter, `{"scope":"cards"}`, bearer("x")) }, 401},
		{"scope", func() call { return askToken(peter, `{"scope":"cards-write"}`, bearer(b.token)) }, 403},
		{"made", func() call { return askToken(peter, `{"scope":"cards"}`, bearer(b.token)) }, 201},
		{"absent", func() call { return askToken(nobody, `{"scope":"cards"}`, bearer(b.token)) }, 404},
		{"malformed", func() call { return askCode(peter, `{"channel":"pigeon"}`, bearer(b.token)) }, 400},
		{"media_type", func() call { return post("/customers/"+peter+"/token", "{}", jsonType, bearer(b.token)) }, 415},
		{"too_large", func() call { return revoke(strings.Repeat("x", 70_000)) }, 413},
		{"over_the_quota", func() call { return self(over) }, 429},
		{"store_down", func() call { b.store.Fail("GetToken", store.ErrUnavailable); return self(down) }, 503},
	} {
		t.Run("pages_read/"+c.name, func(t *testing.T) {
			for origin, header := range map[string]map[string]string{
				strange: noCORS, "": noCORS, "null": noCORS,
				shop: also(noCORS, "Access-Control-Allow-Origin", shop, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After, WWW-Authenticate"),
			} {
				call := c.call()
				if origin != "" {
					call.headers = append(call.headers, from(origin))
				}
				r := b.send(t, call)
				b.store.Heal("GetToken")
				if r.Status != c.status {
					t.Fatalf("from %q: %d %s", origin, r.Status, r.Body)
				}
				for name, want := range also(header, "Vary", "Origin") {
					wantHeader(t, r, name, want)
				}
			}
		})
	}
	t.Run("pages_vary/without_origin", func(t *testing.T) {
		wantHeader(t, b.send(t, revoke("x")), "Vary", "Origin")
	})
}

func TestNoPagesElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPages)
	origin := from(shop)
	w.run(t, []row{
		{name: "pages_only_there/token", call: ask(grant, basic(w.app), origin), status: 200, header: also(noCORS, "Vary", "")},
		{name: "pages_only_there/token_error", call: ask(grant, origin), status: 401, code: badClient, says: "client", header: noCORS},
		{name: "pages_only_there/token_alias", call: form("/token", grant, basic(w.app), origin), status: 200, header: noCORS},
		{name: "pages_only_there/introspection", call: about("x", basic(w.rs), origin), status: 200, header: noCORS},
		{name: "pages_only_there/metadata", call: get("/.well-known/oauth-authorization-server", origin), status: 200, header: noCORS},
		{name: "pages_only_there/health", call: get("/healthz", origin), status: 200, header: noCORS},
		{name: "pages_only_there/partners", call: get("/partners/orgs", origin), status: 401, code: "invalid_token", says: "", header: noCORS},
		{name: "pages_only_there/nothing_there", call: get("/oauth/nothing", origin), status: 404, code: "not_found", says: "", header: noCORS},
	})
	for _, path := range []string{"/oauth/token", "/token", "/oauth/introspect", "/.well-known/oauth-authorization-server", "/partners/orgs", "/partners/token", "/healthz", "/readyz", "/openapi.yaml"} {
		t.Run("pages_only_there/preflight"+strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			r := w.send(t, preflight(path, shop, "POST", "authorization,content-type"))
			if r.Status != 405 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			for name := range noCORS {
				wantHeader(t, r, name, "")
			}
		})
	}
	t.Run("pages_only_there/admin", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, "http://grantd/admin/v1/clients", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Origin": {shop}, "Access-Control-Request-Method": {"GET"}}
		r := harness.Do(t, w.Admin, req)
		for name := range noCORS {
			wantHeader(t, r, name, "")
		}
		if r.Status < 400 {
			t.Errorf("%d", r.Status)
		}
	})
}

func TestPagesOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range pagePaths {
		t.Run("pages_off"+strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			for _, c := range []call{preflight(path, shop, "POST", "authorization"), post(path, "", from(shop))} {
				r := w.send(t, c)
				for name, want := range also(noCORS, "Vary", "") {
					wantHeader(t, r, name, want)
				}
				if c.method == "OPTIONS" && r.Status != 405 {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			}
		})
	}
}
