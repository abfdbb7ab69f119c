package story

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/grantd/grantd/scopes/guard"
)

// cards starts a resource server, the cards API of the stories about partners,
// and puts its URL into $NAME. It accepts on-behalf tokens, and its guard checks every
// restriction of such a token: scope, source address and endpoint. The caller's
// address is that of the connection.
func cards(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: cards NAME GRANTD_URL CLIENT_ID CLIENT_SECRET")
	}
	g, err := guard.New(guard.Config{
		Issuer: args[1], ClientID: args[2], Secret: args[3], Log: slog.New(slog.DiscardHandler),
		TokenUses: []string{guard.UseOnBehalf}, Enforces: []string{guard.EnforceSourceIP, guard.EnforceEndpoints}, ClientIP: peer,
	})
	ts.Check(err)
	ts.Defer(func() { _ = g.Close() })
	mux := http.NewServeMux()
	serve := func(pattern, scope string, show func(t *guard.Token, r *http.Request) any) {
		mux.Handle(pattern, g.RequireUse([]string{guard.UseOnBehalf}, scope)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, _ := guard.FromContext(r.Context())
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(show(token, r))
		})))
	}
	serve("GET /cards", "cards", func(t *guard.Token, _ *http.Request) any {
		return map[string]any{"org": t.OrgID, "cards": []string{"12", "13"}}
	})
	serve("POST /cards", "cards-write", func(*guard.Token, *http.Request) any { return "made" })
	serve("GET /cards/{id}", "cards", func(t *guard.Token, r *http.Request) any {
		return map[string]any{"org": t.OrgID, "card": r.PathValue("id")}
	})
	serve("GET /customers/{id}", "customers", func(t *guard.Token, r *http.Request) any {
		return map[string]any{"org": t.OrgID, "customer": r.PathValue("id")}
	})
	serve("GET /accounts", "accounts", func(*guard.Token, *http.Request) any { return "accounts" })
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
}

// peer returns the address of the connection.
func peer(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap()
}
