package guard

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// parsed returns a token as the guard reads it.
func parsed(t *testing.T, body string) *Token {
	t.Helper()
	token, _, err := parseToken([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestJudge(t *testing.T) {
	const (
		client  = `{"active":true,"scope":"users:read users:write","exp":5,"sub":"client:a","token_use":"client"}`
		partner = `{"active":true,"exp":5,"sub":"partner:a","token_use":"partner"}`
	)
	onBehalfFrom := netip.MustParseAddr("203.0.113.7")
	all := rules{"https://a.example.com", []string{UseClient, UseCustomer, UseOnBehalf}, true}
	for _, row := range []struct {
		rule   string
		token  string
		rules  rules
		need   Need
		status int // 0: it may be used
		code   string
		scope  string
	}{
		{rule: "nothing is needed", token: client},
		{rule: "a scope", token: client, need: Need{Scopes: []string{"users:write"}}},
		{rule: "two scopes", token: client, need: Need{Scopes: []string{"users:write", "users:read"}}},
		{rule: "a scope that it lacks", token: client, need: Need{Scopes: []string{"users:read", "users:delete"}}, status: 403, code: CodeInsufficientScope, scope: "users:read users:delete"},
		{rule: "a scope in another case", token: client, need: Need{Scopes: []string{"Users:read"}}, status: 403, code: CodeInsufficientScope, scope: "Users:read"},
		{rule: "the beginning of a scope", token: client, need: Need{Scopes: []string{"users"}}, status: 403, code: CodeInsufficientScope, scope: "users"},
		{rule: "no scope, and one is needed", token: minimal(`"x":1`), need: Need{Scopes: []string{"a"}}, status: 403, code: CodeInsufficientScope, scope: "a"},
		{rule: "inactive", token: `{"active":false}`, status: 401, code: CodeInvalidToken},
		{rule: "inactive comes before scope", token: `{"active":false}`, need: Need{Scopes: []string{"a"}}, status: 401, code: CodeInvalidToken},
		{rule: "bound to a certificate", token: minimal(`"cnf":{"x5t#S256":"a"}`), status: 401, code: CodeInvalidToken},
		{rule: "bound to a DPoP key", token: minimal(`"cnf":{"jkt":"a"},"token_type":"DPoP"`), status: 401, code: CodeInvalidToken},
		{rule: "bound to something else", token: minimal(`"cnf":null`), status: 401, code: CodeInvalidToken},

		{rule: "a customer where only clients are", token: customer, rules: all, status: 403, code: CodeInsufficientScope},
		{rule: "a customer", token: customer, rules: all, need: Need{TokenUses: []string{UseCustomer}}},
		{rule: "a customer, or a client", token: customer, rules: all, need: Need{TokenUses: []string{UseClient, UseCustomer}}},
		{rule: "a client where only customers are", token: client, rules: all, need: Need{TokenUses: []string{UseCustomer}}, status: 403, code: CodeInsufficientScope},
		{rule: "a use that the resource server does not have", token: partner, rules: all, need: Need{TokenUses: []string{UsePartner}}, status: 401, code: CodeInvalidToken},
		{rule: "a use that nobody knows", token: `{"active":true,"exp":5,"sub":"x:a","token_use":"x"}`, status: 401, code: CodeInvalidToken},

		{rule: "for this resource server", token: minimal(`"aud":"https://a.example.com"`), rules: all},
		{rule: "for this one among others", token: minimal(`"aud":["https://b.example.com","https://a.example.com"]`), rules: all},
		{rule: "for another", token: minimal(`"aud":"https://b.example.com"`), rules: all, status: 401, code: CodeInvalidToken},
		{rule: "for one whose name begins like this", token: minimal(`"aud":"https://a.example.com/"`), rules: all, status: 401, code: CodeInvalidToken},
		{rule: "for some, and this has no name", token: minimal(`"aud":"https://a.example.com"`), status: 401, code: CodeInvalidToken},

		{rule: "resources that are enforced", token: minimal(`"resources":[{"type":"card","ids":["1"]}]`), rules: all},
		{rule: "resources that are not", token: minimal(`"resources":[{"type":"card","ids":["1"]}]`), status: 401, code: CodeInvalidToken},

		{rule: "on behalf", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards", SourceIP: onBehalfFrom, Scopes: []string{"cards"}}},
		{rule: "on behalf, HEAD", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "HEAD", Path: "/customers/1", SourceIP: onBehalfFrom}},
		{rule: "on behalf, POST", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "POST", Path: "/cards", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "on behalf, OPTIONS", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "OPTIONS", Path: "/cards", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "on behalf, no method", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Path: "/cards", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "on behalf without endpoints, POST", token: `{"active":true,"exp":5,"sub":"org:a","token_use":"on_behalf"}`, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "POST"}, status: 403, code: CodeInsufficientScope},
		{rule: "on behalf without endpoints, GET", token: `{"active":true,"exp":5,"sub":"org:a","token_use":"on_behalf"}`, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET"}},
		{rule: "another address", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards", SourceIP: netip.MustParseAddr("203.0.113.8")}, status: 403, code: CodeInsufficientScope},
		{rule: "an address of a range", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards", SourceIP: netip.MustParseAddr("2001:db8::5")}},
		{rule: "IPv4 in IPv6", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards", SourceIP: netip.MustParseAddr("::ffff:203.0.113.7")}},
		{rule: "no address", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards"}, status: 403, code: CodeInsufficientScope},

		{rule: "another path", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/accounts", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "a path below", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards/", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "an encoded slash", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/customers/1%2fcards", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "dots", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards/../cards", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "a broken path", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards%zz", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "a path with its query", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/cards?a=1", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "an encoded letter", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", Path: "/customers/%61", SourceIP: onBehalfFrom}},
		{rule: "no path", token: onBehalf, rules: all, need: Need{TokenUses: []string{UseOnBehalf}, Method: "GET", SourceIP: onBehalfFrom}, status: 403, code: CodeInsufficientScope},
		{rule: "a client with endpoints", token: minimal(`"endpoints":["GET /cards"]`), need: Need{Method: "GET", Path: "/cards"}},
		{rule: "a client with endpoints, DELETE", token: minimal(`"endpoints":["GET /cards"]`), need: Need{Method: "DELETE", Path: "/cards"}, status: 403, code: CodeInsufficientScope},
		{rule: "a client without endpoints, DELETE", token: client, need: Need{Method: "DELETE", Path: "/a/../b"}},
		{rule: "a code too long ago", token: customer, rules: all, need: Need{TokenUses: []string{UseCustomer}, MaxAge: time.Minute}, status: 401, code: CodeInsufficientAuth},
		{rule: "never a code", token: client, need: Need{MaxAge: time.Hour}, status: 401, code: CodeInsufficientAuth},
		{rule: "scope comes before the code", token: client, need: Need{Scopes: []string{"x"}, MaxAge: time.Hour}, status: 403, code: CodeInsufficientScope, scope: "x"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			if row.rules.uses == nil {
				row.rules = newRules("", nil, false)
			}
			refusal := row.rules.judge(parsed(t, row.token), &row.need)
			if row.status == 0 {
				if refusal != nil {
					t.Error(refusal)
				}
				return
			}
			if refusal == nil || refusal.Status != row.status || refusal.Code != row.code || refusal.Scope != row.scope || refusal.Description == "" {
				t.Errorf("refusal %+v, want %d %s", refusal, row.status, row.code)
			}
		})
	}
}

// The age of a code does not depend on this machine's wall clock: it is counted from
// the Date of the response, in which the token came.
func TestAge(t *testing.T) {
	entered := time.Unix(1687436420, 0)
	for _, row := range []struct {
		rule   string
		server time.Time // Date
		heard  time.Duration
		most   time.Duration
		ok     bool
	}{
		{"just now", entered, 0, 5 * time.Second, true},
		{"within", entered.Add(4 * time.Minute), 0, 5 * time.Minute, true},
		{"Date has whole seconds, so a second is added", entered.Add(5 * time.Minute), 0, 5 * time.Minute, false},
		{"the response was kept for a while", entered.Add(4 * time.Minute), time.Minute, 5 * time.Minute, false},
		{"too long ago", entered.Add(time.Hour), 0, 5 * time.Minute, false},
		{"in the future, by a replica whose clock is ahead", entered.Add(-2 * time.Second), 0, 5 * time.Minute, true},
	} {
		token := parsed(t, customer)
		token.setClock(row.server, time.Now().Add(-row.heard))
		refusal := token.judgeAge(row.most)
		if (refusal == nil) != row.ok {
			t.Errorf("%s: %v", row.rule, refusal)
		}
		if refusal != nil && (refusal.Status != http.StatusUnauthorized || refusal.MaxAge != row.most) {
			t.Errorf("%s: %+v", row.rule, refusal)
		}
	}
}
