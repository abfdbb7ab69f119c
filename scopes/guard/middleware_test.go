package guard_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

const resource = "https://api.example.com/v1"

// tokens are those of the tests of the middleware.
var tokens = map[string]string{
	"client":     active("client", `,"scope":"users:read"`),
	"writer":     active("client", `,"scope":"users:read users:write"`),
	"here":       active("client", `,"scope":"users:read","aud":"`+resource+`"`),
	"elsewhere":  active("client", `,"scope":"users:read","aud":"https://other.example.com"`),
	"bound":      active("client", `,"scope":"users:read","cnf":{"x5t#S256":"abc"}`),
	"dpop":       active("client", `,"scope":"users:read","token_type":"DPoP","cnf":{"jkt":"abc"}`),
	"customer":   active("customer", `,"scope":"users:read","customer_id":"1","auth_time":1687436420,"resources":[{"type":"card","ids":["12"]}]`),
	"fresh":      active("customer", `,"scope":"users:read","customer_id":"1","auth_time":4102444800`),
	"partner":    active("on_behalf", `,"scope":"users:read users:write","endpoints":["GET /users","GET /users/{id}"],"source_ips":["192.0.2.0/24"]`),
	"partners":   active("on_behalf", `,"scope":"users:read users:write"`),
	"faraway":    active("client", `,"scope":"users:read","source_ips":["203.0.113.7"]`),
	"nonsense":   `{"active":"yes"}`,
	"restricted": active("client", `,"scope":"users:read","endpoints":["POST /users"]`),
}

// hello is the handler behind the middleware.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	t, ok := guard.FromContext(r.Context())
	if !ok {
		http.Error(w, "no token in the context", http.StatusInternalServerError)
		return
	}
	_, _ = w.Write([]byte("hello " + t.Subject))
})

// fullGuard accepts every use and enforces everything.
func fullGuard(t *testing.T, s *authServer) *guard.Guard {
	t.Helper()
	return newGuard(t, s, func(c *guard.Config) {
		c.Resource, c.Realm, c.ScopesSupported = resource, "cards", []string{"users:read", "users:write"}
		c.TokenUses = []string{guard.UseClient, guard.UseCustomer, guard.UseOnBehalf}
		c.Enforces = []string{guard.EnforceSourceIP, guard.EnforceEndpoints, guard.EnforceResources}
	})
}

// A row for what a resource server must do with a bearer token (RFC 6750).
func TestRequire(t *testing.T) {
	s := startServer(tokens)
	defer s.Close()
	g := fullGuard(t, s)
	routes := map[string]http.Handler{
		"read":     g.Require("users:read")(hello),
		"write":    g.Require("users:read", "users:write")(hello),
		"any":      g.Require()(hello),
		"customer": g.RequireUse([]string{guard.UseCustomer}, "users:read")(hello),
		"fresh":    g.RequireUse([]string{guard.UseCustomer})(guard.MaxAge(5 * time.Minute)(hello)),
		"partner":  g.RequireUse([]string{guard.UseOnBehalf, guard.UseClient}, "users:read")(hello),
	}
	for _, row := range []struct {
		rule, route, request string // method and target; "" is GET /users
		authorization        string // several are separated by |
		form                 string
		status               int
		code, scope          string
	}{
		{rule: "no credentials: no error code", route: "read", status: 401, scope: "users:read"},
		{rule: "no credentials, no scope", route: "any", status: 401},
		{rule: "a token with the scope", route: "read", authorization: "Bearer client", status: 200},
		{rule: "the scheme in lower case", route: "read", authorization: "bearer client", status: 200},
		{rule: "the scheme in upper case", route: "read", authorization: "BEARER client", status: 200},
		{rule: "a token for this resource server", route: "read", authorization: "Bearer here", status: 200},
		{rule: "HEAD", route: "read", request: "HEAD /users", authorization: "Bearer client", status: 200},
		{rule: "HEAD without a token", route: "read", request: "HEAD /users", status: 401, scope: "users:read"},
		{rule: "OPTIONS without a token", route: "read", request: "OPTIONS /users", status: 401, scope: "users:read"},
		{rule: "OPTIONS with a token", route: "read", request: "OPTIONS /users", authorization: "Bearer client", status: 200},
		{rule: "no scope is needed", route: "any", authorization: "Bearer client", status: 200},

		{rule: "an empty token", route: "read", authorization: "Bearer ", status: 401, code: "invalid_token"},
		{rule: "illegal characters", route: "read", authorization: "Bearer a,b", status: 401, code: "invalid_token"},
		{rule: "an unknown token", route: "read", authorization: "Bearer unknown", status: 401, code: "invalid_token"},
		{rule: "a missing scope", route: "write", authorization: "Bearer client", status: 403, code: "insufficient_scope", scope: "users:read users:write"},
		{rule: "a token in the query", route: "read", request: "GET /users?access_token=client", status: 400, code: "invalid_request"},
		{rule: "a token in header and query", route: "read", request: "GET /users?access_token=client", authorization: "Bearer client", status: 400, code: "invalid_request"},
		{rule: "a token only in the form", route: "read", request: "POST /users", form: "access_token=client", status: 401, scope: "users:read"},
		{rule: "a token in header and form", route: "read", request: "POST /users", authorization: "Bearer client", form: "access_token=client", status: 400, code: "invalid_request"},
		{rule: "a form without one", route: "read", request: "POST /users", authorization: "Bearer client", form: "name=a", status: 200},
		{rule: "two headers", route: "read", authorization: "Bearer client|Bearer client", status: 400, code: "invalid_request"},
		{rule: "Basic", route: "read", authorization: "Basic YTpi", status: 401, scope: "users:read"},
		{rule: "the scheme DPoP", route: "read", authorization: "DPoP dpop", status: 401, scope: "users:read"},
		{rule: "a DPoP token as bearer token", route: "read", authorization: "Bearer dpop", status: 401, code: "invalid_token"},
		{rule: "a token that is bound to a certificate", route: "read", authorization: "Bearer bound", status: 401, code: "invalid_token"},
		{rule: "a token for another resource server", route: "read", authorization: "Bearer elsewhere", status: 401, code: "invalid_token"},
		{rule: "a token that may be used from elsewhere", route: "read", authorization: "Bearer faraway", status: 403, code: "insufficient_scope"},
		{rule: "a response that cannot be understood", route: "read", authorization: "Bearer nonsense", status: 503, code: "temporarily_unavailable"},
		{rule: "a restriction that cannot be understood", route: "read", authorization: "Bearer restricted", status: 503, code: "temporarily_unavailable"},

		{rule: "a customer's token where clients are expected", route: "read", authorization: "Bearer customer", status: 403, code: "insufficient_scope"},
		{rule: "a customer's token", route: "customer", authorization: "Bearer customer", status: 200},
		{rule: "a client's token where customers are expected", route: "customer", authorization: "Bearer client", status: 403, code: "insufficient_scope"},
		{rule: "no code was entered lately", route: "fresh", authorization: "Bearer customer", status: 401, code: "insufficient_user_authentication"},
		{rule: "a code was entered lately", route: "fresh", authorization: "Bearer fresh", status: 200},
		{rule: "no token, and a code is needed", route: "fresh", status: 401},

		{rule: "on behalf of an org", route: "partner", authorization: "Bearer partner", status: 200},
		{rule: "on behalf, HEAD", route: "partner", request: "HEAD /users", authorization: "Bearer partner", status: 200},
		{rule: "on behalf, a query", route: "partner", request: "GET /users?page=2", authorization: "Bearer partner", status: 200},
		{rule: "on behalf, another path", route: "partner", request: "GET /cards", authorization: "Bearer partner", status: 403, code: "insufficient_scope"},
		{rule: "on behalf, dots", route: "partner", request: "GET /users/../users", authorization: "Bearer partner", status: 403, code: "insufficient_scope"},
		{rule: "on behalf, an encoded slash", route: "partner", request: "GET /users/a%2Fb", authorization: "Bearer partner", status: 403, code: "insufficient_scope"},
		{rule: "on behalf, POST", route: "partner", request: "POST /users", authorization: "Bearer partner", status: 403, code: "insufficient_scope"},
		{rule: "on behalf without endpoints, POST", route: "partner", request: "POST /users", authorization: "Bearer partners", status: 403, code: "insufficient_scope"},
		{rule: "on behalf without endpoints, PATCH", route: "partner", request: "PATCH /users", authorization: "Bearer partners", status: 403, code: "insufficient_scope"},
		{rule: "on behalf where only clients are expected", route: "read", authorization: "Bearer partners", status: 403, code: "insufficient_scope"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			if row.request == "" {
				row.request = "GET /users"
			}
			method, target, _ := strings.Cut(row.request, " ")
			r := httptest.NewRequest(method, target, strings.NewReader(row.form))
			if row.form != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if row.authorization != "" {
				r.Header["Authorization"] = strings.Split(row.authorization, "|")
			}
			w := httptest.NewRecorder()
			routes[row.route].ServeHTTP(w, r)
			checkResponse(t, w, row.status, row.code, row.scope)
		})
	}
}

// checkResponse checks a response for what every one of its status must have.
func checkResponse(t *testing.T, w *httptest.ResponseRecorder, status int, code, scope string) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	h := w.Header()
	if status == http.StatusOK {
		if h.Get("Cache-Control") != "private" || !strings.HasPrefix(w.Body.String(), "hello ") {
			t.Errorf("headers %v, body %s", h, w.Body)
		}
		return
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", h)
	}
	challenge := h.Get("WWW-Authenticate")
	if status == http.StatusServiceUnavailable {
		if challenge != "" || h.Get("Retry-After") == "" || !strings.Contains(w.Body.String(), code) {
			t.Errorf("headers %v, body %s", h, w.Body)
		}
		return
	}
	all := guard.Attributes(t, challenge)
	if all["realm"] != "cards" || all["error"] != code || all["scope"] != scope || (all["error_description"] == "") != (code == "") {
		t.Errorf("challenge %s", challenge)
	}
	if all["resource_metadata"] != "https://api.example.com/.well-known/oauth-protected-resource/v1" {
		t.Errorf("challenge %s", challenge)
	}
	if (all["max_age"] == "300") != (code == "insufficient_user_authentication") {
		t.Errorf("challenge %s", challenge)
	}
}

// While the authorization server cannot say, nobody gets in and no token is called
// invalid. Nothing of that is remembered.
func TestServerFails(t *testing.T) {
	s := startServer(tokens)
	defer s.Close()
	h := fullGuard(t, s).Require("users:read")(hello)
	for _, row := range []struct{ fails, want int }{
		{0, 200}, {503, 503}, {0, 200}, {500, 503}, {0, 200}, {429, 503}, {0, 200}, {404, 503}, {0, 200}, {302, 503}, {0, 200},
	} {
		s.status.Store(int32(row.fails))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, withToken("client"))
		if w.Code != row.want {
			t.Errorf("introspection returns %d: %d, want %d: %s", row.fails, w.Code, row.want, w.Body)
		}
	}
	s.Close()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, withToken("client"))
	checkResponse(t, w, 503, "temporarily_unavailable", "")
}

func withToken(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/users", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// Tokens are never logged, whatever happens to them.
func TestTokensAreNotLogged(t *testing.T) {
	s := startServer(map[string]string{"secret-nonsense": `{"active":"secret-nonsense"}`})
	defer s.Close()
	var log bytes.Buffer
	g := newGuard(t, s, func(c *guard.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	h := g.Require()(hello)
	for range 2 {
		for _, token := range []string{"secret-token", "secret-nonsense", "secret,malformed"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, withToken(token))
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s: body %s", token, w.Body)
			}
			_, err := g.Check(context.Background(), token, guard.Need{})
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: error %v", token, err)
			}
		}
		s.Close() // the second round meets no server
	}
	if strings.Contains(log.String(), "secret-") {
		t.Errorf("the log has a token:\n%s", log.String())
	}
}

func TestImpossibleRoutes(t *testing.T) {
	s := startServer(tokens)
	defer s.Close()
	g := newGuard(t, s, func(c *guard.Config) { c.TokenUses = []string{guard.UseCustomer} })
	for rule, make := range map[string]func(){
		"a use that the guard does not have": func() { g.RequireUse([]string{guard.UseOnBehalf}) },
		"the use that is the default":        func() { g.Require("users:read") },
		"two scopes in one":                  func() { g.RequireUse([]string{guard.UseCustomer}, "users:read users:write") },
		"an empty scope":                     func() { g.RequireUse([]string{guard.UseCustomer}, "") },
		"no age":                             func() { guard.MaxAge(0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", rule)
				}
			}()
			make()
		}()
	}
	g.RequireUse([]string{guard.UseCustomer}, "users:read")
}

// MaxAge where no guard let the request through lets nobody through.
func TestMaxAgeAlone(t *testing.T) {
	w := httptest.NewRecorder()
	guard.MaxAge(time.Minute)(hello).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("status %d %v", w.Code, w.Header())
	}
}
