package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const keyMembers = `"key_id":"Ab3dEf7h","org_id":"acme","owner":"reporting","name":"night\u001b[2Jly","scope":"cards customers","aud":[],` +
	`"source_ips":["203.0.113.0/24"],"resources":[{"type":"card","ids":["12","13"]}],"created_by":"client:backend",` +
	`"created_at":"2026-01-02T03:04:05Z","expires_at":"2026-04-02T03:04:05Z","ended_at":null,"ended_by":null`

const createdKeyJSON = `{"key":"gk_sandbox_Ab3dEf7h_x",` + keyMembers + `,"state":"active"}`

const listedKeyJSON = `{` + keyMembers + `,"state":"active","last_used_at":"2026-01-02T05:00:00Z","last_used_ip":"203.0.113.9","use_count":12}`

func keyAnswers() map[string]reply {
	list := reply{200, `{"keys":[` + listedKeyJSON + `]}`}
	return map[string]reply{
		"POST /orgs/acme/keys":                            {201, createdKeyJSON},
		"GET /keys?limit=500":                             list,
		"GET /keys?limit=500&org_id=acme&owner=reporting": list,
		"GET /keys?expires_within=30d&limit=500":          list,
		"GET /keys?limit=500&unused_for=90d":              {200, `{"keys":[]}`},
		"GET /keys/Ab3dEf7h":                              {200, listedKeyJSON},
		"DELETE /keys/Ab3dEf7h":                           {204, ""},
		"POST /keys/Ab3dEf7h/rotate":                      {201, strings.TrimSuffix(createdKeyJSON, "}") + `,"previous_key_id":"Zz3dEf7h","previous_expires_at":"2026-01-03T03:04:05Z"}`},
	}
}

// The requests of each command line to the admin API, and the exit codes.
func TestKeyRequests(t *testing.T) {
	f := newFakeAdmin(t, keyAnswers())
	for _, tt := range []struct {
		args  string // separated by |
		asked string
		code  int
	}{
		{"key|create|--org|acme|--owner|reporting|--name|nightly|--scope|cards", `POST /orgs/acme/keys {"owner":"reporting","name":"nightly","scope":"cards","lifetime":null,"source_ips":null,"resources":null}`, exitDone},
		{"key|create|--org|acme|--owner|reporting|--name|nightly|--scope|cards|--expires|30d|--source-ip|203.0.113.0/24,10.0.0.1|--resource|card:12,13|--resource|account:h5D8B5gyHtk=",
			`POST /orgs/acme/keys {"owner":"reporting","name":"nightly","scope":"cards","lifetime":"30d","source_ips":["203.0.113.0/24","10.0.0.1"],"resources":[{"type":"card","ids":["12","13"]},{"type":"account","ids":["h5D8B5gyHtk="]}]}`, exitDone},
		{"key|list", `GET /keys?limit=500`, exitDone},
		{"key|list|--org|acme|--owner|reporting", `GET /keys?limit=500&org_id=acme&owner=reporting`, exitDone},
		{"key|list|--expiring|30d", `GET /keys?expires_within=30d&limit=500`, exitFound},
		{"key|list|--unused|90d", `GET /keys?limit=500&unused_for=90d`, exitDone},
		{"key|show|Ab3dEf7h", `GET /keys/Ab3dEf7h`, exitDone},
		{"key|revoke|Ab3dEf7h", `DELETE /keys/Ab3dEf7h`, exitDone},
		{"key|rotate|Ab3dEf7h", `POST /keys/Ab3dEf7h/rotate`, exitDone},
		{"key|rotate|Ab3dEf7h|--grace|1h", `POST /keys/Ab3dEf7h/rotate {"grace":"1h"}`, exitDone},
	} {
		t.Run(tt.args, func(t *testing.T) {
			got := f.run(t, "", strings.Split(tt.args, "|")...)
			if got.code != tt.code {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff([]string{tt.asked}, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// What is refused before the server is asked.
func TestKeyMisuse(t *testing.T) {
	f := newFakeAdmin(t, nil)
	const create = "key|create|--org|acme|--owner|o|--name|n|--scope|cards|"
	for _, line := range []string{
		"key|create", "key|create|--owner|o|--name|n|--scope|cards", create + "--expires|soon", create + "--resource|card", create + "--resource|:1", create + "--resource|card:",
		"key|list|--expiring|soon", "key|list|--unused|0s", "key|list|--org|a/b", "key|show", "key|show|a/b", "key|revoke|a b", "key|rotate|Ab3dEf7h|--grace|soon",
	} {
		if got := f.run(t, "", strings.Split(line, "|")...); got.code != exitUsage || len(f.asked) > 0 {
			t.Errorf("%s: %+v, asked %v", line, got, f.asked)
		}
	}
}

// How each response is printed.
func TestKeyOutput(t *testing.T) {
	f := newFakeAdmin(t, keyAnswers())
	const create, note = "key create --org acme --owner reporting --name nightly --scope cards", "grantd: the key is shown only once: store it now\n"
	for _, tt := range []struct{ args, golden, out, err string }{
		{args: create, golden: "key-create.txt", err: note},
		{args: create + " --output json", golden: "key-create.json"},
		{args: "key list", golden: "key-list.txt"},
		{args: "key list --output json", golden: "key-list.json"},
		{args: "key show Ab3dEf7h", golden: "key-show.txt"},
		{args: "key rotate Ab3dEf7h", golden: "key-rotate.txt", err: note},
		{args: "key revoke Ab3dEf7h", out: "key Ab3dEf7h is revoked\n"},
		{args: "key revoke Ab3dEf7h --output json", out: "{\n  \"revoked\": \"Ab3dEf7h\"\n}\n"},
	} {
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

// Each state has the name that the server gives it, and a filter with that name. What
// the server says of a member is said of the flag.
func TestKeyStates(t *testing.T) {
	held := strings.Replace(listedKeyJSON, `"state":"active"`, `"state":"held_back"`, 1)
	f := newFakeAdmin(t, map[string]reply{
		"GET /keys?limit=500&state=held_back":      {200, `{"keys":[` + held + `]}`},
		"GET /keys?limit=500&org_id=nope":          {404, `{"error":"not_found","error_description":"there is no org with this id"}`},
		"GET /keys?expires_within=9999d&limit=500": {400, `{"error":"invalid_request","error_description":"must be a duration such as 24h or 30d, at most 3650d","field":"expires_within"}`},
		"POST /orgs/acme/keys":                     {400, `{"error":"invalid_request","error_description":"lifetime is 1m to 365d, such as 90d","field":"lifetime"}`},
	})
	got := f.run(t, "", "key", "list", "--state", "held_back")
	if got.code != exitFound || !strings.Contains(got.out, "  held_back  ") {
		t.Errorf("%+v", got)
	}
	for line, want := range map[string]result{
		"key list --org nope":       {err: "grantd: there is no org with this id\n", code: exitFailed},
		"key list --expiring 9999d": {err: "grantd: --expiring: must be a duration such as 24h or 30d, at most 3650d\n", code: exitUsage},
		"key create --org acme --owner o --name n --scope cards --expires 999d": {err: "grantd: --expires is 1m to 365d, such as 90d\n", code: exitUsage},
	} {
		f.run(t, "", strings.Fields(line)...).is(t, want)
	}
}

// A message of the server about members is one about flags.
func TestMembersAreFlags(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"PATCH /clients/a": {400, `{"error":"invalid_request","error_description":"bind_source_ip needs source_ips: the addresses that the tokens of the client are bound to","field":"bind_source_ip"}`},
		"PATCH /clients/b": {400, `{"error":"invalid_request","error_description":"the tokens of this client are bound to source_ips: leave one of them, or set bind_source_ip to false","field":"source_ips"}`},
	})
	f.run(t, "", "client", "update", "a", "--bind-source-ip").is(t, result{
		err: "grantd: --bind-source-ip needs --source-ip: the addresses that the tokens of the client are bound to\n", code: exitUsage})
	f.run(t, "", "client", "update", "b", "--source-ip", "").is(t, result{
		err: "grantd: --source-ip: the tokens of this client are bound to --source-ip: leave one of them, or pass --bind-source-ip=false\n", code: exitUsage})
}
