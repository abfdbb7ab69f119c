package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/web"
)

// known are the tokens of the tests.
var known = map[string]Token{
	"client":    {Active: true, ID: "j1", Use: "client", Subject: "client:shop", ClientID: "shop", OrgID: "acme", Scope: "users:read users:write"},
	"customer":  {Active: true, Use: "customer", Subject: "customer:1", ClientID: "bank", CustomerID: "1", OrgID: "acme", Scope: "cards"},
	"behalf":    {Active: true, Use: "on_behalf", Subject: "org:acme", OrgID: "acme", PartnerID: "p", Scope: "cards", SourceIPs: []string{"203.0.113.0/24"}, Endpoints: []string{"GET /cards", "GET /cards/{id}"}},
	"anywhere":  {Active: true, Use: "on_behalf", Subject: "org:acme", OrgID: "acme", PartnerID: "p", Scope: "cards"},
	"bound":     {Active: true, Use: "client", Subject: "client:shop", ClientID: "shop", SourceIPs: []string{"203.0.113.7"}},
	"cnf":       {Active: true, Bound: true, Use: "client", Subject: "client:shop", ClientID: "shop"},
	"some":      {Active: true, Use: "client", Subject: "client:shop", ClientID: "shop", Resources: true},
	"revoked":   {ID: "j2", Why: refusal.Revoked, VoidOf: "client:shop", EndedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	"elsewhere": {Active: true, Elsewhere: true, Use: "client", Subject: "client:shop", ClientID: "shop"},
	"broken":    {Active: true, Use: "client", Subject: "client:shop", ClientID: "shop", Endpoints: []string{"POST nonsense"}},
}

// tokens finds the known ones; "down" fails, and "hangs" waits for the end of the call.
type tokens struct{ from netip.Addr }

func (f *tokens) Find(ctx context.Context, token string, from netip.Addr) (Token, error) {
	f.from = from
	if token == "hangs" {
		<-ctx.Done()
		return Token{}, ctx.Err()
	}
	if token == "down" {
		return Token{}, apierr.New(apierr.Unavailable, "later").Because(errors.New("no server"))
	}
	return known[token], nil
}

func handlerOf(t testing.TB, o Options) http.Handler {
	t.Helper()
	e, err := web.NewEngine(web.Options{Log: slog.New(slog.DiscardHandler), Raw: []string{PathEnvoy}})
	if err != nil {
		t.Fatal(err)
	}
	New(o).Mount(e)
	return e
}

var errStranger = apierr.New(apierr.AccessDenied, "not a gateway").Because(refusal.NotGateway)

func standard() Options {
	return Options{
		Tokens: &tokens{}, Family: Forwarded, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Peer: func(r *http.Request) error {
			if !strings.HasPrefix(r.RemoteAddr, "127.") {
				return errStranger
			}
			return nil
		},
		Policies: Policies{"read": {Scopes: []string{"users:read"}, Uses: usesClient}, "behalf": {Uses: []string{useOnBehalf}}},
	}
}

// ask sends a request with headers, which are written "Name: value", one on each line.
func ask(t testing.TB, h http.Handler, method, query, headers string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, Path+query, nil)
	r.RemoteAddr = "127.0.0.1:4000"
	for line := range strings.SplitSeq(headers, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	plain   = `Bearer realm="grantd"`
	invalid = plain + `, error="invalid_token"`
	lacking = plain + `, error="insufficient_scope"`
)

// behalf are the headers of a request that the on-behalf token allows.
const behalf = "Authorization: Bearer behalf\nX-Forwarded-Method: GET\nX-Forwarded-For: 203.0.113.9\n"

func TestDecisions(t *testing.T) {
	h := handlerOf(t, standard())
	for _, tc := range []struct {
		name, query, headers string
		status               int
		challenge            string
	}{
		{"good", "?scope=users:read", "Authorization: Bearer client", 200, ""},
		{"scheme in lower case, two spaces", "?scope=users:read", "Authorization: bearer  client", 200, ""},
		{"no scope needed", "", "Authorization: Bearer client", 200, ""},
		{"both scopes", "?scope=users:read+users:write", "Authorization: Bearer client", 200, ""},
		{"no token", "?scope=users:read", "", 401, plain},
		{"another scheme", "", "Authorization: Basic client", 401, plain},
		{"two headers", "", "Authorization: Bearer client\nAuthorization: Bearer client", 401, invalid},
		{"no token after the scheme", "", "Authorization: Bearer ", 401, invalid},
		{"scheme alone", "", "Authorization: Bearer", 401, invalid},
		{"not a token", "", "Authorization: Bearer cli,ent", 401, invalid},
		{"two tokens", "", "Authorization: Bearer client client", 401, invalid},
		{"long", "", "Authorization: Bearer " + strings.Repeat("a", 5000), 401, invalid},
		{"unknown", "", "Authorization: Bearer made-up", 401, invalid},
		{"scope missing", "?scope=cards", "Authorization: Bearer client", 403, lacking + `, scope="cards"`},
		{"one of two missing", "?scope=users:read+cards", "Authorization: Bearer client", 403, lacking + `, scope="users:read cards"`},
		{"no client token", "?scope=cards", "Authorization: Bearer customer", 403, lacking},
		{"customer token", "?scope=cards&token_use=customer", "Authorization: Bearer customer", 200, ""},
		{"one of two kinds", "?token_use=client+customer", "Authorization: Bearer customer", 200, ""},
		{"client token for a customer's", "?token_use=customer", "Authorization: Bearer client", 403, lacking},
		{"nobody can tell", "", "Authorization: Bearer down", 503, ""},
		{"bound, address", "", "Authorization: Bearer bound\nX-Forwarded-For: 203.0.113.7", 200, ""},
		{"bound, IPv4 in IPv6", "", "Authorization: Bearer bound\nX-Forwarded-For: ::ffff:203.0.113.7", 200, ""},
		{"bound, other address", "", "Authorization: Bearer bound\nX-Forwarded-For: 203.0.113.8", 403, lacking},
		{"bound, not stated", "", "Authorization: Bearer bound", 403, lacking},
		{"bound, unreadable", "", "Authorization: Bearer bound\nX-Forwarded-For: 203.0.113.7, unknown", 403, lacking},
		{"bound, behind a proxy", "", "Authorization: Bearer bound\nX-Forwarded-For: 203.0.113.7, 10.0.0.1", 200, ""},
		{"bound, said by its caller", "", "Authorization: Bearer bound\nX-Forwarded-For: 203.0.113.7, 198.51.100.1", 403, lacking},
		{"bound, loopback is an address", "", "Authorization: Bearer bound\nX-Forwarded-For: 203.0.113.7, 127.0.0.1", 403, lacking},
		{"bound, the other family", "", "Authorization: Bearer bound\nX-Real-IP: 203.0.113.7", 403, lacking},
		{"bound to a key", "", "Authorization: Bearer cnf", 401, invalid},
		{"restricted to resources", "", "Authorization: Bearer some", 403, lacking},
		{"endpoints that nobody can read", "", "Authorization: Bearer broken\nX-Forwarded-Method: GET\nX-Forwarded-Uri: /", 403, lacking},
	} {
		w := ask(t, h, http.MethodGet, tc.query, tc.headers)
		if w.Code != tc.status || w.Header().Get("WWW-Authenticate") != tc.challenge {
			t.Errorf("%s: %d %q, want %d %q", tc.name, w.Code, w.Header().Get("WWW-Authenticate"), tc.status, tc.challenge)
		}
		if w.Code != 200 && w.Header().Get("X-Auth-Subject") != "" {
			t.Errorf("%s: a refusal states a subject", tc.name)
		}
		if w.Code == 503 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", tc.name)
		}
	}
}

// TestOnBehalf: a token on behalf of an org reads only, where and from where it may.
func TestOnBehalf(t *testing.T) {
	h := handlerOf(t, standard())
	const use = "?scope=cards&token_use=on_behalf"
	with := func(method, uri, from string) string {
		return "Authorization: Bearer behalf\nX-Forwarded-Method: " + method + "\nX-Forwarded-Uri: " + uri + "\nX-Forwarded-For: " + from
	}
	const here = "203.0.113.9"
	for _, tc := range []struct {
		name, headers string
		status        int
	}{
		{"GET", with("GET", "/cards", here), 200},
		{"HEAD", with("HEAD", "/cards/12", here), 200},
		{"with a query", with("GET", "/cards?limit=1;2&x=%2f", here), 200},
		{"escaped, and the same", with("GET", "/c%61rds", here), 200},
		{"POST", with("POST", "/cards", here), 403},
		{"lower case", with("get", "/cards", here), 403},
		{"other path", with("GET", "/accounts", here), 403},
		{"below", with("GET", "/cards/12/pin", here), 403},
		{"other address", with("GET", "/cards", "198.51.100.1"), 403},
		{"dot segments", with("GET", "/accounts/../cards", here), 403},
		{"one dot", with("GET", "/./cards", here), 403},
		{"escaped dots", with("GET", "/accounts/%2e%2e/cards", here), 403},
		{"double slash", with("GET", "//cards", here), 403},
		{"double slash inside", with("GET", "/cards//12", here), 403},
		{"semicolon", with("GET", "/cards;a=1", here), 403},
		{"escaped semicolon", with("GET", "/cards/a%3bb", here), 403},
		{"backslash", with("GET", `/cards\12`, here), 403},
		{"escaped backslash", with("GET", "/cards/a%5cb", here), 403},
		{"escaped slash", with("GET", "/cards/a%2fb", here), 403},
		{"escaped slash, upper case", with("GET", "/cards/a%2Fb", here), 403},
		{"escaped twice", with("GET", "/cards/a%252fb", here), 403},
		{"escaped NUL", with("GET", "/cards/%00", here), 403},
		{"bad escape", with("GET", "/cards/%zz", here), 403},
		{"fragment", with("GET", "/cards#x", here), 403},
		{"not ASCII", with("GET", "/cards/é", here), 403},
		{"space", with("GET", "/cards/a b", here), 403},
		{"URL", with("GET", "http://other.example.com/cards", here), 403},
		{"not a path", with("GET", "cards", here), 403},
		{"asterisk", with("OPTIONS", "*", here), 403},
		{"no method", behalf[:len(behalf)-1] + "\nX-Forwarded-Uri: /cards\nX-Forwarded-Method: GET", 403}, // repeated
		{"no URI", behalf, 403},
		{"two URIs", behalf + "X-Forwarded-Uri: /cards\nX-Forwarded-Uri: /cards", 403},
		{"no address", "Authorization: Bearer behalf\nX-Forwarded-Method: GET\nX-Forwarded-Uri: /cards", 403},
		{"the other family", "Authorization: Bearer behalf\nX-Original-Method: GET\nX-Original-URI: /cards\nX-Real-IP: " + here, 403},
		{"without restrictions", strings.Replace(with("GET", "/any/thing", "2001:db8::1"), "behalf", "anywhere", 1), 200},
		{"without restrictions, POST", strings.Replace(with("POST", "/any/thing", "2001:db8::1"), "behalf", "anywhere", 1), 403},
		{"without restrictions, dots", strings.Replace(with("GET", "/any/../thing", "2001:db8::1"), "behalf", "anywhere", 1), 403},
		{"without restrictions, no address", "Authorization: Bearer anywhere\nX-Forwarded-Method: GET\nX-Forwarded-Uri: /any", 403},
		{"without restrictions, no path", "Authorization: Bearer anywhere\nX-Forwarded-Method: GET\nX-Forwarded-For: " + here, 403},
		{"without restrictions, no method", "Authorization: Bearer anywhere\nX-Forwarded-Uri: /any\nX-Forwarded-For: " + here, 403},
	} {
		if w := ask(t, h, http.MethodGet, use, tc.headers); w.Code != tc.status {
			t.Errorf("%s: %d %s, want %d", tc.name, w.Code, w.Body, tc.status)
		}
	}
}

// TestOriginalFamily: nginx states the request in other headers, and those of the other
// family do not count.
func TestOriginalFamily(t *testing.T) {
	o := standard()
	o.Family = Originals
	found := o.Tokens.(*tokens)
	h := handlerOf(t, o)
	const good = "Authorization: Bearer behalf\nX-Original-Method: GET\nX-Original-URI: /cards\nX-Real-IP: 203.0.113.9\n"
	for _, tc := range []struct {
		name, headers string
		status        int
		from          string
	}{
		{"good", good, 200, "203.0.113.9"},
		{"with what a caller sent of the other family", good + "X-Forwarded-Method: POST\nX-Forwarded-Uri: /x\nX-Forwarded-For: 198.51.100.1", 200, "203.0.113.9"},
		{"only the other family", behalf + "X-Forwarded-Uri: /cards", 403, "invalid IP"},
		{"two addresses", good + "X-Real-IP: 203.0.113.9", 403, "invalid IP"},
		{"an address and a port", strings.Replace(good, "203.0.113.9", "203.0.113.9:5000", 1), 200, "203.0.113.9"},
		{"not an address", strings.Replace(good, "203.0.113.9", "unix:", 1), 403, "invalid IP"},
	} {
		if w := ask(t, h, http.MethodGet, "?token_use=on_behalf", tc.headers); w.Code != tc.status || found.from.String() != tc.from {
			t.Errorf("%s: %d from %v, want %d from %s", tc.name, w.Code, found.from, tc.status, tc.from)
		}
	}
}

// TestWrongQuery: a mistake of the gateway lets nothing pass.
func TestWrongQuery(t *testing.T) {
	o := standard()
	o.Uses = []string{"client", "customer"}
	h := handlerOf(t, o)
	for _, query := range []string{
		"?scope=", "?scope", "?token_use=", "?scope=users:read&scope=users:read", "?token_use=client&token_use=client", "?scopes=users:read",
		"?SCOPE=users:read", "?scope[]=users:read", "?scope=users:read&", "?&scope=users:read", "?scope=%zz", "?scope=users:read;x=1", "?scope=a++b", "?scope=%22",
		"?scope=users:read%00", "?token_use=Client", "?token_use=admin", "?token_use=client,customer", "?access_token=client", "?scope=users:read&x=1",
		"?token_use=partner", "?token_use=client+key", "?scope=" + strings.Repeat("a", 3000),
	} {
		w := ask(t, h, http.MethodGet, query, "Authorization: Bearer client")
		if w.Code != http.StatusForbidden || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %v", query, w.Code, w.Header())
		}
	}
}

// TestStated: every header is set, so that none of the caller's gets through.
func TestStated(t *testing.T) {
	h := handlerOf(t, standard())
	for token, want := range map[string]map[string]string{
		"client": {
			"X-Auth-Client-Id": "shop", "X-Auth-Subject": "client:shop", "X-Auth-Scope": "users:read users:write", "X-Auth-Token-Use": "client",
			"X-Auth-Customer-Id": "", "X-Auth-Org-Id": "acme", "X-Auth-Partner-Id": "",
		},
		"customer": {
			"X-Auth-Client-Id": "bank", "X-Auth-Subject": "customer:1", "X-Auth-Scope": "cards", "X-Auth-Token-Use": "customer",
			"X-Auth-Customer-Id": "1", "X-Auth-Org-Id": "acme", "X-Auth-Partner-Id": "",
		},
	} {
		w := ask(t, h, http.MethodGet, "?token_use=client+customer", "Authorization: Bearer "+token)
		got := map[string]string{}
		for name, values := range w.Header() {
			if strings.HasPrefix(name, "X-Auth-") {
				got[name] = strings.Join(values, "|")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || w.Body.Len() > 0 {
			t.Errorf("%s: %s %s", token, diff, w.Body)
		}
	}
}

// TestAnyMethod: some gateways ask with the method of the request.
func TestAnyMethod(t *testing.T) {
	h := handlerOf(t, standard())
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X"} {
		w := ask(t, h, method, "?scope=users:read", "Authorization: Bearer client")
		if w.Code != 200 || w.Header().Get("X-Auth-Client-Id") != "shop" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
		if w := ask(t, h, method, "?scope=users:read", ""); w.Code != 401 {
			t.Errorf("%s without a token: %d", method, w.Code)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", Path+"/x", nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
}

// TestPeer: only a gateway may ask.
func TestPeer(t *testing.T) {
	h := handlerOf(t, standard())
	r := httptest.NewRequestWithContext(t.Context(), "GET", Path, nil)
	r.RemoteAddr = "192.0.2.1:4000"
	r.Header.Set("Authorization", "Bearer client")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
}
