package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTokenInput(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"POST /tokens/explain": {200, `{"state":"active","detail":"d"}`},
		"POST /tokens/revoke":  {200, `{"revoked":"j"}`},
	})
	tests := []struct {
		name, input, args, asked string
	}{
		{"argument", "", "explain gt_x", `POST /tokens/explain {"token":"gt_x"}`},
		{"standard input", "gt_x\r\n", "explain", `POST /tokens/explain {"token":"gt_x"}`},
		{"dash", " gt_x", "explain -", `POST /tokens/explain {"token":"gt_x"}`},
		{"token that begins with a dash", "", "explain -- -x", `POST /tokens/explain {"token":"-x"}`},
		{"revoke from standard input", "gt_x\n", "revoke", `POST /tokens/revoke {"token":"gt_x"}`},
		{"explain by jti", "gt_x\n", "explain --jti j", `POST /tokens/explain {"jti":"j"}`},
		{"revoke by jti leaves standard input", "gt_x\n", "revoke --jti -j", `POST /tokens/revoke {"jti":"-j"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"token", "--socket", f.socket}, strings.Fields(tt.args)...)
			f.asked = nil
			if got := grantd(t, tt.input, args...); got.code != exitDone || got.err != "" {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff([]string{tt.asked}, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTokenInputRefused(t *testing.T) {
	f := newFakeAdmin(t, nil)
	f.run(t, "a b", "token", "explain").is(t, result{code: exitUsage,
		err: "grantd: standard input must contain one token and nothing else; see 'grantd token explain --help'\n"})
	f.run(t, strings.Repeat("a", maxTokenInput+1), "token", "explain").is(t, result{code: exitFailed,
		err: "grantd: standard input is too long for a token\n"})
	if len(f.asked) > 0 {
		t.Errorf("asked %q", f.asked)
	}
}

func TestTokenOutput(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"POST /tokens/explain": {200, `{"state":"void","detail":"every token of client:a issued before was voided by uid:0","ended_at":"2026-01-02T03:04:05Z",` +
			`"ended_by":"uid:0","void_of":"client:a","jti":"j","token_use":"client","sub":"client:a","client_id":"a","secret_id":"s","scope":"users:read",` +
			`"aud":["https://x","https://y"],"issued_at":"2026-01-02T03:00:00Z","expires_at":"2026-01-02T04:00:00Z","secret_state":"live","client_state":"active"}`},
		"POST /tokens/revoke": {200, `{"revoked":"j"}`},
	})
	golden(t, "token-explain.txt", f.run(t, "x", "token", "explain").out)
	f = newFakeAdmin(t, map[string]reply{
		"POST /tokens/explain": {200, `{"state":"active","detail":"active until 2026-01-02T04:00:00Z","jti":"j","token_use":"customer","sub":"customer:10001",` +
			`"client_id":"a","scope":"cards","upgradable_scope":"cards-write","resources":[{"type":"card","ids":["12","13"]}],"issued_at":"2026-01-02T03:00:00Z",` +
			`"expires_at":"2026-01-02T04:00:00Z","auth_time":"2026-01-02T02:59:58Z","amr":["otp","sms"],"parent_jtis":["p","q"]}`},
		"POST /tokens/revoke": {200, `{"revoked":"j"}`},
	})
	golden(t, "token-explain-customer.txt", f.run(t, "x", "token", "explain").out)
	f.run(t, "x", "token", "revoke").is(t, result{out: "token j is revoked\n"})
	f.run(t, "x", "token", "revoke", "--output", "json").is(t, result{out: "{\n  \"revoked\": \"j\"\n}\n"})
}

func TestAuditOutput(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"GET /audit?limit=50": {200, `{"events":[` +
		`{"id":"2","time":"2026-01-02T03:04:05.678Z","action":"client.create","actor":"uid:0","target":"client:a","outcome":"done","after":{"client_id":"a"}},` +
		`{"id":"1","time":"2026-01-02T03:04:04Z","action":"auth.failed","actor":"client:b","address":"10.0.0.1","outcome":"invalid_client","after":{"cause":"wrong_secret"},"count":7,"since":"2026-01-02T03:00:00Z","addresses":3}]}`}})
	golden(t, "audit.txt", f.run(t, "", "audit").out)
	golden(t, "audit.json", f.run(t, "", "audit", "--output", "json").out)
}

// TestAuditFilters: the flags become the query of every page, and a page without
// events is not the end.
func TestAuditFilters(t *testing.T) {
	const query = "GET /audit?action=client.create&actor=uid%3A0&"
	const rest = "&since=2026-01-31T08%3A00%3A00Z&target=client%3Aa&until=2026-01-31T08%3A30%3A00Z"
	f := newFakeAdmin(t, map[string]reply{
		query + "limit=50" + rest:           {200, `{"events":[],"next_cursor":"Ng"}`},
		query + "cursor=Ng&limit=50" + rest: {200, `{"events":[{"id":"5"}],"next_cursor":"NA"}`},
		query + "cursor=NA&limit=49" + rest: {200, `{"events":[],"next_cursor":"Mw"}`},
		query + "cursor=Mw&limit=49" + rest: {200, `{"events":[{"id":"2"}]}`},
	})
	got := f.run(t, "", "audit", "--actor", "uid:0", "--action", "client.create", "--target", "client:a",
		"--since", "2026-01-31T09:00:00+01:00", "--until", "2026-01-31T08:30:00Z", "--output", "json")
	if got.code != exitDone || strings.Count(got.out, `"id"`) != 2 {
		t.Errorf("%+v", got)
	}
}
