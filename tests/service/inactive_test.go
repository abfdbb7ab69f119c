package service_test

import (
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/tests/harness"
)

// TestEachInactiveTokenHasACause checks that the log says why an introspection is inactive, with the jti of a token
// that grantd made, and nothing on the wire.
func TestEachInactiveTokenHasACause(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs, c, gone := s.NewClient(t, "rs", "introspect"), s.NewClient(t, "billing", "users:read"), s.NewClient(t, "gone", "users:read")
		aud := s.NewClient(t, "aud", "users:read", func(n *clients.NewSpec) { n.Resources = &[]string{"https://api.example.com"} })
		short := s.NewClient(t, "short", "users:read", func(n *clients.NewSpec) { ttl := int64(60); n.TokenTTL = &ttl })
		old, revoked, live, void, hidden := s.Token(t, short, ""), s.Token(t, c, ""), s.Token(t, c, ""), s.Token(t, gone, ""), s.Token(t, aud, "")
		s.Introspect(t, rs, old) // it is in the cache now
		if r := s.AdminDo(t, "POST", "/tokens/revoke", map[string]string{"token": revoked}); r.Status != 200 {
			t.Fatal(r)
		}
		if r := s.AdminDo(t, "POST", "/clients/gone/void-tokens", nil); r.Status != 200 {
			t.Fatal(r)
		}
		s.Clock.Add(2 * time.Minute)
		for _, row := range []struct {
			token, voidOf string
			cause         refusal.Cause
			made, ended   bool
		}{
			{revoked, "", refusal.Revoked, true, true},
			{void, "client:gone", refusal.Void, true, true},
			{old, "", refusal.Expired, true, false},
			{hidden, "", refusal.HiddenAud, true, false},
			{live[:len(live)-4], "", refusal.Damaged, false, false},
			{live + "==", "", refusal.Damaged, false, false},
			{"made-up-0123456789", "", refusal.Malformed, false, false},
			{c.ClientSecret, "", refusal.OtherKind, false, false},
			{"Bearer " + live, "", refusal.WithScheme, false, false},
			{"bearer made-up", "", refusal.WithScheme, false, false},
			{"Bearerlive", "", refusal.Malformed, false, false},
			{strings.Repeat("x", 4000), "", refusal.Malformed, false, false},
			{strings.Replace(live, "sandbox", "live", 1), "", refusal.Foreign, false, false},
		} {
			r := s.Introspect(t, rs, row.token)
			l := logLine(t, s, "request", r.Header.Get("X-Request-Id"))
			jti, _ := l["jti"].(string)
			if want := tokens.ID(tokens.DigestOf(row.token)); row.made != (jti == want) || !row.made && jti != "" {
				t.Errorf("%s: jti %q", row.cause, jti)
			}
			voidOf, _ := l["void_of"].(string)
			if r.Body != `{"active":false}` || l["cause"] != string(row.cause) || voidOf != row.voidOf || row.ended && l["ended_at"] == nil || l["client_id"] != "rs" {
				t.Errorf("%s: %s %v", row.cause, r.Body, l)
			}
		}
		if r := s.Introspect(t, rs, live); !r.Active() || logLine(t, s, "request", r.Header.Get("X-Request-Id"))["cause"] != nil {
			t.Errorf("an active token has a cause: %s", r.Body)
		}
	})
}
