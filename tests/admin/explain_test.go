package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
)

// TestExplainExpired checks that a token that has just expired is expired, with its
// exact end, by itself and by its jti.
func TestExplainExpired(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		c := create(t, s, object{"client_id": "billing", "scope": "users:read", "token_ttl": 3600})
		token, _ := tokenFor(t, s, "billing", c["client_secret"].(string))
		x := explain(t, s, token)
		end, err := time.Parse(time.RFC3339, x["expires_at"].(string))
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{0, time.Second, 59 * time.Second} {
			s.Clock.Add(end.Add(after).Sub(s.Clock.Now()) + 100*time.Millisecond)
			byID := do(t, s, "POST", "/tokens/explain", object{"jti": x["jti"]}, 200)
			for how, got := range map[string]object{"token": explain(t, s, token), "jti": byID} {
				if got["state"] != "expired" || got["ended_at"] != x["expires_at"] || got["expires_at"] != x["expires_at"] || got["client_id"] != "billing" {
					t.Errorf("%v after its end, by its %s: %v", after, how, got)
				}
			}
		}
		revoked, _ := tokenFor(t, s, "billing", c["client_secret"].(string))
		jti := explain(t, s, revoked)["jti"]
		do(t, s, "POST", "/tokens/revoke", object{"jti": jti}, 200)
		if got := do(t, s, "POST", "/tokens/explain", object{"jti": jti}, 200); got["state"] != "revoked" || got["ended_by"] != "uid:0" {
			t.Errorf("revoked, by its jti: %v", got)
		}
		if got := do(t, s, "POST", "/tokens/explain", object{"jti": strings.Repeat("A", 43)}, 200); got["state"] != "unknown" || got["ended_at"] != nil {
			t.Errorf("a jti without a record: %v", got)
		}
		for _, body := range []object{{"jti": "x"}, {"jti": jti, "token": revoked}, {}, {"token": strings.Repeat("x", 5000)}} {
			do(t, s, "POST", "/tokens/explain", body, 400)
		}
	})
}

// TestExplainPartnerID checks that a partner token is explained by its id.
func TestExplainPartnerID(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	a := newAlliance(t, s)
	by := func() object { return do(t, s, "POST", "/tokens/explain", object{"jti": a.tokenID}, 200) }
	if got := by(); got["state"] != "active" || got["partner_id"] != "hurdlr" || got["jti"] != a.tokenID {
		t.Errorf("active: %v", got)
	}
	do(t, s, "POST", "/tokens/revoke", object{"jti": a.tokenID}, 200)
	if got := by(); got["state"] != "revoked" {
		t.Errorf("revoked: %v", got)
	}
	if got := do(t, s, "POST", "/tokens/explain", object{"jti": "AAAAAAAA"}, 200); got["state"] != "unknown" {
		t.Errorf("no such id: %v", got)
	}
}

// TestExplainDamage checks that what was copied in part is told from what was made up,
// where the form tells, and that no explanation repeats what was sent.
func TestExplainDamage(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	a := newAlliance(t, s)
	c := create(t, s, object{"client_id": "billing", "scope": "users:read"})
	token, _ := tokenFor(t, s, "billing", c["client_secret"].(string))
	changed := damaged(token)
	const all = len("gt_sandbox_") + 43
	for _, row := range []struct{ name, sent, state, detail string }{
		{"its end is missing", token[:30], "damaged", "cut off in copying: it has 30 of 54 characters"},
		{"only its prefix", token[:11], "damaged", "cut off in copying: it has 11 of 54"},
		{"less than its prefix", token[:5], "damaged", "cut off in copying: it has 5 of"},
		{"its beginning is missing", token[4:], "damaged", "its first 4 characters are missing"},
		{"its prefix is missing", token[11:], "damaged", "its first 11 characters are missing"},
		{"in quotes", `"` + token + `"`, "damaged", "with 2 characters too many"},
		{"with its header", "Bearer " + token, "damaged", "with 7 characters too many"},
		{"something at its end", token + "A", "damaged", "with 1 characters too many"},
		{"a space in it", token[:20] + " " + token[20:], "damaged", "character 21 is in no token"},
		{"too long, and changed", changed + "A", "damaged", "it has 55 characters, and a token has 54"},
		{"a character changed", changed, "malformed", "its check is wrong"},
		{"made up", "gt_sandbox_" + strings.Repeat("A", 43), "malformed", "its check is wrong"},
		{"another form", "v2.public.eyJyb2xlIjoiY3VzdG9tZX", "malformed", "made up, or of another deployment"},
		{"a client secret", c["client_secret"].(string), "malformed", "not a token: a client secret"},
		{"the end of a partner token is missing", a.token[:40], "damaged", "cut off in copying: it has 40 of 63"},
		{"the other environment", "gt_live_" + token[11:], "foreign_environment", "other environment"},
	} {
		got := explain(t, s, row.sent)
		if detail, _ := got["detail"].(string); got["state"] != row.state || !strings.Contains(detail, row.detail) {
			t.Errorf("%s: %v", row.name, got)
		}
		if len(row.sent) > 20 && strings.Contains(mustJSON(t, got), row.sent[12:20]) {
			t.Errorf("%s: the explanation repeats it", row.name)
		}
	}
	if len(token) != all {
		t.Errorf("a token has %d characters, want %d", len(token), all)
	}
}
