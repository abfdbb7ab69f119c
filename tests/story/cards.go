package story

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/grantd/grantd/scopes"
)

// cards starts a resource server, the cards API of the stories about partners,
// and puts its URL into $NAME. It accepts on-behalf tokens and checks every
// restriction of such a token: scope, source address and endpoint. The caller's
// address is that of the connection.
func cards(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: cards NAME GRANTD_URL CLIENT_ID CLIENT_SECRET")
	}
	api := cardsAPI{grantd: args[1], id: args[2], secret: args[3]}
	mux := http.NewServeMux()
	mux.Handle("GET /cards", api.guard("cards", func(t *introspected, _ *http.Request) any {
		return map[string]any{"org": t.OrgID, "cards": []string{"12", "13"}}
	}))
	mux.Handle("POST /cards", api.guard("cards-write", func(*introspected, *http.Request) any { return "made" }))
	mux.Handle("GET /cards/{id}", api.guard("cards", func(t *introspected, r *http.Request) any {
		return map[string]any{"org": t.OrgID, "card": r.PathValue("id")}
	}))
	mux.Handle("GET /customers/{id}", api.guard("customers", func(t *introspected, r *http.Request) any {
		return map[string]any{"org": t.OrgID, "customer": r.PathValue("id")}
	}))
	mux.Handle("GET /accounts", api.guard("accounts", func(*introspected, *http.Request) any { return "accounts" }))
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
}

type cardsAPI struct{ grantd, id, secret string }

// introspected holds the members of an introspection response that are used here.
type introspected struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope"`
	Use       string   `json:"token_use"`
	OrgID     string   `json:"org_id"`
	SourceIPs []string `json:"source_ips"`
	Endpoints []string `json:"endpoints"`
}

// guard passes a request on if its token allows it.
func (a cardsAPI) guard(scope string, show func(*introspected, *http.Request) any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(kind, "Bearer") || token == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		t, err := a.ask(token)
		switch {
		case err != nil: // unknown whether the token is active: neither accept nor refuse it
			http.Error(w, "try again", http.StatusServiceUnavailable)
		case !t.Active || t.Use != "on_behalf":
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "the token is not active", http.StatusUnauthorized)
		case !slices.Contains(strings.Fields(t.Scope), scope):
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope="%s"`, scope))
			http.Error(w, "the token lacks the scope "+scope, http.StatusForbidden)
		case !from(r.RemoteAddr, t.SourceIPs):
			http.Error(w, "the token may not be used from this address", http.StatusForbidden)
		case !at(r, t.Endpoints):
			http.Error(w, "the token may not be used here", http.StatusForbidden)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(show(t, r))
		}
	})
}

// ask introspects the token (RFC 7662).
func (a cardsAPI) ask(token string) (*introspected, error) {
	form := url.Values{"token": {token}}
	r, err := http.NewRequest(http.MethodPost, a.grantd+"/oauth/introspect", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, res.Body)
		return nil, errors.New("grantd answered " + res.Status)
	}
	var t introspected
	return &t, json.NewDecoder(res.Body).Decode(&t)
}

// from reports whether the peer is one of the addresses. No addresses allow all.
func from(peer string, ranges []string) bool {
	if len(ranges) == 0 {
		return true
	}
	address, err := netip.ParseAddrPort(peer)
	if err != nil {
		return false
	}
	ip := address.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(ranges, func(text string) bool {
		if p, err := netip.ParsePrefix(text); err == nil {
			return p.Contains(ip)
		}
		a, err := netip.ParseAddr(text)
		return err == nil && a == ip
	})
}

// at reports whether the token may be used for the request.
func at(r *http.Request, patterns []string) bool {
	endpoints, err := scopes.ParseEndpoints(patterns)
	return err == nil && endpoints.Allow(r.Method, r.URL)
}
