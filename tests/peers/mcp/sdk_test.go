package mcp

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/tests/harness"
)

var by = audit.Actor{Name: "test"}

// TestSDKs: with metadata.mcp both SDKs find grantd (RFC 9728, RFC 8414), ask for a
// token for the MCP server (RFC 8707) and call its tool. When their token has
// ended they ask for another one, until their client is deactivated.
func TestSDKs(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		w := newWorld(t, start(edit(true)))
		for sdk, command := range sdks {
			c := w.client(t, "agent-"+sdk, scope, w.mcp)
			p := w.start(t, c, command(t))
			want := "you are client:agent-" + sdk + "\n"
			for range 2 {
				if got := p.call(t); got != want {
					t.Fatalf("%s: %q, %s", sdk, got, p.errors())
				}
			}
			if n := w.issued(c.ClientID); n != 1 {
				t.Errorf("%s: %d tokens for two calls", sdk, n)
			}
			if _, err := w.Clients().VoidTokens(t.Context(), by, c.ClientID); err != nil {
				t.Fatal(err)
			}
			if got := p.call(t); got != want {
				t.Fatalf("%s, after its token ended: %q, %s", sdk, got, p.errors())
			}
			if n := w.issued(c.ClientID); n != 2 {
				t.Errorf("%s: %d tokens, of which one ended", sdk, n)
			}
			if _, err := w.Clients().Deactivate(t.Context(), by, c.ClientID); err != nil {
				t.Fatal(err)
			}
			p.fails(t, "client authentication failed")
		}
	})
}

// TestSDKsBelowAPath: the issuer has a path, below which a proxy has grantd.
func TestSDKsBelowAPath(t *testing.T) {
	t.Parallel()
	var grantd atomic.Pointer[httputil.ReverseProxy]
	mux := http.NewServeMux()
	pass := func(w http.ResponseWriter, r *http.Request) { grantd.Load().ServeHTTP(w, r) }
	mux.HandleFunc("/.well-known/", pass)
	mux.Handle("/tenant/", http.StripPrefix("/tenant", http.HandlerFunc(pass)))
	proxy := httptest.NewServer(mux)
	t.Cleanup(proxy.Close)
	s := harness.Start(t, harness.Options{Edit: func(c *config.Config) { c.Metadata.MCP, c.Issuer = true, proxy.URL+"/tenant" }})
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	grantd.Store(httputil.NewSingleHostReverseProxy(target))
	s.URL = proxy.URL + "/tenant" // what the programs get as ISSUER
	w := newWorld(t, s)
	for sdk, command := range sdks {
		p := w.start(t, w.agent, command(t))
		if got := p.call(t); got != "you are client:agent\n" {
			t.Errorf("%s: %q, %s", sdk, got, p.errors())
		}
	}
}

// issued returns how many tokens the log says that a client got.
func (w *world) issued(id string) (n int) {
	for line := range strings.Lines(w.Logs.String()) {
		if strings.Contains(line, `"route":"/oauth/token","status":200`) && strings.Contains(line, `"client_id":"`+id+`"`) {
			n++
		}
	}
	return n
}

// TestSDKsRefuse: what the page says that the SDKs refuse, or have refused.
func TestSDKsRefuse(t *testing.T) {
	t.Parallel()
	on, off := newWorld(t, harness.Start(t, edit(true))), newWorld(t, harness.Start(t, edit(false)))
	elsewhere := on.client(t, "elsewhere", scope, "https://mcp.example.com/mcp")
	poor := on.client(t, "poor", "users:write", on.mcp)
	trusting := &world{Server: &harness.Server{URL: "https://auth.example.com"}, mcp: on.mcp} // another issuer
	for _, c := range []struct {
		rule, sdk, says string
		p               *process
	}{
		{"metadata.mcp is off", "go", "does not implement PKCE", off.start(t, off.agent, sdks["go"](t))},
		{"metadata.mcp is off", "typescript", "authorization_endpoint", off.start(t, off.agent, sdks["typescript"](t))},
		{"client of another MCP server", "go", "invalid_target", on.start(t, elsewhere, sdks["go"](t))},
		{"client of another MCP server", "typescript", "resource must be one of this client's resources", on.start(t, elsewhere, sdks["typescript"](t))},
		{"secret of another issuer", "go", "does not match", trusting.start(t, on.agent, sdks["go"](t))},
		{"secret of another issuer", "typescript", "Authorization server mismatch", trusting.start(t, on.agent, sdks["typescript"](t))},
		{"client without the scope", "go", "invalid_scope", on.start(t, poor, sdks["go"](t))},
		{"client without the scope", "typescript", "scope holds a name that this client may not have", on.start(t, poor, sdks["typescript"](t))},
	} {
		t.Run(c.rule+"/"+c.sdk, func(t *testing.T) { c.p.fails(t, c.says) })
	}
}

// TestTokens: which tokens the MCP server of the page accepts.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, harness.Start(t, edit(true)))
	const other = "https://mcp.example.com/mcp"
	both := w.client(t, "both", scope, w.mcp, other)
	expired := w.token(t, "agent", w.agent.ClientSecret, nil)
	w.Clock.Add(61 * time.Minute)
	for _, row := range []struct {
		rule, token string
		status      int
	}{
		{"no token", "", 401},
		{"made up", "gt_sandbox_0123456789", 401},
		{"expired", expired, 401},
		{"for this MCP server", w.token(t, "agent", w.agent.ClientSecret, url.Values{"resource": {w.mcp}}), 200},
		{"for all MCP servers of the client", w.token(t, "agent", w.agent.ClientSecret, nil), 200},
		{"for both", w.token(t, "both", both.ClientSecret, nil), 200},
		{"for the other one", w.token(t, "both", both.ClientSecret, url.Values{"resource": {other}}), 401},
		{"for no one in particular", w.Token(t, w.client(t, "any", scope), ""), 401},
		{"without the scope", w.Token(t, w.client(t, "poor", "users:write", w.mcp), ""), 403},
	} {
		t.Run(row.rule, func(t *testing.T) {
			r := w.call(t, row.token)
			if r.Status != row.status {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			challenge := `Bearer resource_metadata="` + strings.Replace(w.mcp, "/mcp", "/.well-known/oauth-protected-resource/mcp", 1) + `", scope="users:read"`
			if got := r.Header.Get("WWW-Authenticate"); row.status != 200 && got != challenge {
				t.Errorf("challenge %s", got)
			}
		})
	}
	t.Run("revoked", func(t *testing.T) {
		token := w.token(t, "agent", w.agent.ClientSecret, nil)
		if r := w.call(t, token); r.Status != 200 {
			t.Fatal(r)
		}
		if r := w.Form(t, "/oauth/revoke", "agent", w.agent.ClientSecret, url.Values{"token": {token}}); r.Status != 200 {
			t.Fatal(r)
		}
		if r := w.call(t, token); r.Status != 401 { // within a second: at once
			t.Errorf("a revoked token: %s", r)
		}
	})
	t.Run("grantd is away", func(t *testing.T) {
		token := w.token(t, "agent", w.agent.ClientSecret, nil)
		w.Close()
		if r := w.call(t, token); r.Status != 500 || strings.Contains(r.Body, "refused") {
			t.Errorf("%s", r)
		}
	})
}

func (w *world) token(t *testing.T, id, secret string, form url.Values) string {
	t.Helper()
	asked := url.Values{"grant_type": {"client_credentials"}}
	for name, values := range form {
		asked[name] = values
	}
	token, _ := w.Form(t, "/oauth/token", id, secret, asked).JSON(t)["access_token"].(string)
	if token == "" {
		t.Fatalf("no token for %s", id)
	}
	return token
}

// call calls the tool without an SDK, which would get another token by itself.
func (w *world) call(t *testing.T, token string) harness.Response {
	t.Helper()
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}`
	r, err := http.NewRequest(http.MethodPost, w.mcp, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return harness.Do(t, nil, r)
}
