package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const partnerJSON = `{"partner_id":"hurdlr","name":"Hurdlr\tInc.","scope":"customers cards","active":true,"deactivated_at":null,` +
	`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T04:04:05+01:00","version":3}`

const grantJSON = `{"partner_id":"hurdlr","org_id":"h5D8B5gyHtk=","scope":"cards","endpoints":["GET /cards","GET /cards/{id}"],` +
	`"until":"2027-01-01T01:00:00+01:00","state":"active","created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z","version":3}`

const partnerTokenJSON = `{"token":"gp_sandbox_Ab3dEf7h_x","token_id":"Ab3dEf7h","partner_id":"hurdlr","name":"reporting",` +
	`"source_ips":["203.0.113.0/24"],"expires_at":"2026-04-02T03:04:05Z"}`

const partnerTokensJSON = `{"tokens":[{"token_id":"Ab3dEf7h","name":"report\u001b[2Jing","source_ips":["203.0.113.0/24","2001:db8::1"],"active":true,` +
	`"created_by":"uid:0","created_at":"2026-01-02T03:04:05Z","expires_at":"2026-04-02T03:04:05Z","revoked_at":null,"revoked_by":null,` +
	`"last_used_at":"2026-01-02T05:00:00Z","last_used_ip":"203.0.113.9","use_count":12},` +
	`{"token_id":"Zz3dEf7h","name":"old","source_ips":[],"active":false,"created_by":"client:op","created_at":"2026-01-02T03:04:05Z",` +
	`"expires_at":"2026-04-02T03:04:05Z","revoked_at":"2026-01-03T03:04:05Z","revoked_by":"uid:0","last_used_at":null,"last_used_ip":null,"use_count":0}]}`

func partnerAnswers() map[string]reply {
	replies := recordReplies("partners", "hurdlr", partnerJSON, partnerJSON)
	const grant, tokens = " /partners/hurdlr/orgs/h5D8B5gyHtk=", " /partners/hurdlr/tokens"
	replies["GET /partners?limit=500"] = reply{200, `{"partners":[` + partnerJSON + `,{"partner_id":"b","name":"B","active":false,"scope":"cards","created_at":"2026-01-02T03:04:05Z"}]}`}
	replies["PUT"+grant], replies["DELETE"+grant] = reply{201, grantJSON}, reply{204, ""}
	replies["GET /partners/hurdlr/orgs?limit=500"] = reply{200, `{"orgs":[` + grantJSON + `],"next_cursor":"Yg"}`}
	replies["GET /partners/hurdlr/orgs?cursor=Yg&limit=500"] = reply{200, `{"orgs":[{"org_id":"z","scope":"customers cards","endpoints":[],"until":null,"state":"org_deactivated"}]}`}
	replies["POST"+tokens], replies["GET"+tokens] = reply{201, partnerTokenJSON}, reply{200, partnerTokensJSON}
	replies["DELETE"+tokens+"/Ab3dEf7h"] = reply{204, ""}
	return replies
}

// The requests of each command line to the admin API.
func TestPartnerRequests(t *testing.T) {
	f := newFakeAdmin(t, partnerAnswers())
	const grant = "PUT /partners/hurdlr/orgs/h5D8B5gyHtk= "
	tests := []struct {
		args  string // separated by |
		asked []string
	}{
		{"partner|put|hurdlr|--name|Hurdlr Inc.|--scope|customers cards", []string{`PUT /partners/hurdlr {"name":"Hurdlr Inc.","scope":"customers cards"}`}},
		{"partner|show|hurdlr", []string{`GET /partners/hurdlr`}},
		{"partner|list", []string{`GET /partners?limit=500`}},
		{"partner|delete|hurdlr", []string{`DELETE /partners/hurdlr`}},
		{"partner|deactivate|hurdlr", []string{`POST /partners/hurdlr/deactivate`}},
		{"partner|reactivate|hurdlr", []string{`POST /partners/hurdlr/reactivate`}},
		{"partner|void-tokens|hurdlr", []string{`POST /partners/hurdlr/void-tokens`}},

		{"partner|grant|hurdlr|h5D8B5gyHtk=|--scope|cards", []string{grant + `{"scope":"cards","endpoints":null,"until":null}`}},
		{"partner|grant|hurdlr|h5D8B5gyHtk=|--scope|cards|--endpoint|GET /cards|--endpoint|GET /cards/{id}|--until|2027-01-01T01:00:00+01:00",
			[]string{grant + `{"scope":"cards","endpoints":["GET /cards","GET /cards/{id}"],"until":"2027-01-01T01:00:00+01:00"}`}},
		{"partner|orgs|hurdlr", []string{`GET /partners/hurdlr/orgs?limit=500`, `GET /partners/hurdlr/orgs?cursor=Yg&limit=500`}},
		{"partner|revoke|hurdlr|h5D8B5gyHtk=", []string{`DELETE /partners/hurdlr/orgs/h5D8B5gyHtk=`}},

		{"partner|token|create|hurdlr|--name|reporting", []string{`POST /partners/hurdlr/tokens {"name":"reporting","lifetime":null,"source_ips":null}`}},
		{"partner|token|create|hurdlr|--name|reporting|--expires|30d|--source-ip|203.0.113.0/24,2001:db8::1|--source-ip|10.0.0.1",
			[]string{`POST /partners/hurdlr/tokens {"name":"reporting","lifetime":"30d","source_ips":["203.0.113.0/24","2001:db8::1","10.0.0.1"]}`}},
		{"partner|token|list|hurdlr", []string{`GET /partners/hurdlr/tokens`}},
		{"partner|token|revoke|hurdlr|Ab3dEf7h", []string{`DELETE /partners/hurdlr/tokens/Ab3dEf7h`}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := f.run(t, "", strings.Split(tt.args, "|")...)
			if got.code != exitDone {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff(tt.asked, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// How each response is printed.
func TestPartnerOutput(t *testing.T) {
	f := newFakeAdmin(t, partnerAnswers())
	const (
		put    = "partner put hurdlr --name N --scope cards"
		grant  = "partner grant hurdlr h5D8B5gyHtk= --scope cards"
		create = "partner token create hurdlr --name reporting"
		note   = "grantd: the token is shown only once: store it now\n"
	)
	tests := []struct {
		args, golden, out, err string
	}{
		{args: put, golden: "partner-put.txt"},
		{args: put + " --output json", golden: "partner-put.json"},
		{args: "partner show hurdlr", golden: "partner-put.txt"},
		{args: "partner show hurdlr --output json", golden: "partner-put.json"},
		{args: "partner list", golden: "partner-list.txt"},
		{args: "partner list --output json", golden: "partner-list.json"},
		{args: "partner deactivate hurdlr", out: "partner hurdlr is deactivated and its tokens are void\n"},
		{args: "partner deactivate hurdlr --output json", golden: "partner-put.json"},
		{args: "partner reactivate hurdlr", out: "partner hurdlr is active again; its old tokens remain void\n"},
		{args: "partner void-tokens hurdlr", out: "partner hurdlr has no valid tokens anymore\n"},
		{args: "partner delete hurdlr", out: "partner hurdlr is deleted\n"},
		{args: "partner delete hurdlr --output json", out: "{\n  \"deleted\": \"hurdlr\"\n}\n"},

		{args: grant, golden: "partner-grant.txt"},
		{args: grant + " --output json", golden: "partner-grant.json"},
		{args: "partner orgs hurdlr", golden: "partner-orgs.txt"},
		{args: "partner orgs hurdlr --output json", golden: "partner-orgs.json"},
		{args: "partner revoke hurdlr h5D8B5gyHtk=", out: "partner hurdlr can no longer act for org h5D8B5gyHtk=, and its tokens for this org are void\n"},
		{args: "partner revoke hurdlr h5D8B5gyHtk= --output json", out: "{\n  \"revoked\": \"h5D8B5gyHtk=\"\n}\n"},

		{args: create, golden: "partner-token-create.txt", err: note},
		{args: create + " --output json", golden: "partner-token-create.json"},
		{args: "partner token list hurdlr", golden: "partner-token-list.txt"},
		{args: "partner token list hurdlr --output json", golden: "partner-token-list.json"},
		{args: "partner token revoke hurdlr Ab3dEf7h", out: "token Ab3dEf7h of partner hurdlr is revoked, and the tokens made with it are void\n"},
		{args: "partner token revoke hurdlr Ab3dEf7h --output json", out: "{\n  \"revoked\": \"Ab3dEf7h\"\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := f.run(t, "", strings.Fields(tt.args)...)
			if tt.golden != "" {
				golden(t, tt.golden, got.out)
				got.out = ""
			}
			got.is(t, result{out: tt.out, err: tt.err})
		})
	}
}

// The JSON output for a new token, which programs read.
func TestPartnerTokenForPrograms(t *testing.T) {
	f := newFakeAdmin(t, partnerAnswers())
	var made map[string]any
	got := f.run(t, "", "partner", "token", "create", "hurdlr", "--name", "reporting", "--output", "json")
	if err := json.Unmarshal([]byte(got.out), &made); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"token": "gp_sandbox_Ab3dEf7h_x", "token_id": "Ab3dEf7h", "expires_at": "2026-04-02T03:04:05Z"} {
		if made[name] != want {
			t.Errorf("%s is %v, want %s", name, made[name], want)
		}
	}
}

// An error of the server is printed with the attribute that is wrong.
func TestPartnerRefused(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"PUT /partners/hurdlr/orgs/acme": {400, `{"error":"invalid_request","error_description":"until is a time in the future","field":"until"}`},
		"POST /partners/hurdlr/tokens":   {409, `{"error":"conflict","error_description":"this partner is deactivated: reactivate it first"}`},
	})
	got := f.run(t, "", "partner", "grant", "hurdlr", "acme", "--scope", "cards", "--until", "2020-01-01T00:00:00Z")
	got.is(t, result{code: exitUsage, err: "grantd: --until is a time in the future\n"})
	got = f.run(t, "", "partner", "token", "create", "hurdlr", "--name", "reporting")
	got.is(t, result{code: exitFailed, err: "grantd: this partner is deactivated: reactivate it first\n"})
}
