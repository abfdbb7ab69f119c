package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const viewJSON = `{"client_id":"a","name":"A\tb","scope":"users:read","default_scope":"","token_ttl":5400,"auth_methods":["client_secret_basic"],` +
	`"source_ips":["10.0.0.0/8","::1"],"bind_source_ip":true,"resources":[],"token_uses":[],"enforces":[],"issue_limit":"600/1m","active":true,"deactivated_at":null,` +
	`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T04:04:05+01:00","version":3}`

// TestClientRequests: the requests of each command line to the admin API.
func TestClientRequests(t *testing.T) {
	replies := map[string]reply{}
	for _, key := range []string{
		"POST /clients", "PATCH /clients/a", "GET /clients/a", "POST /clients/a/deactivate", "POST /clients/a/reactivate", "POST /clients/a/void-tokens",
		"POST /clients/a/secrets", "POST /clients/a/secrets/undo-rotation", "POST /clients/a/secrets/s/extend",
	} {
		replies[key] = reply{200, viewJSON}
	}
	for _, key := range []string{
		"GET /clients?limit=500&org_id=o&q=pay&state=active", "GET /secrets?limit=500", "GET /clients/a/secrets",
		"GET /secrets?expires_within=30d&limit=500&older_than=1d&state=all&unused_for=90d", "GET /secrets?client_id=a&limit=500&state=expired",
	} {
		replies[key] = reply{200, `{"clients":[],"secrets":[]}`}
	}
	for _, key := range []string{"DELETE /clients/a", "DELETE /clients/a/secrets/s", "DELETE /clients/a/secrets/s?void_tokens=true"} {
		replies[key] = reply{204, ""}
	}
	f := newFakeAdmin(t, replies)
	tests := []struct {
		args  string // separated by |
		asked []string
	}{
		{"create", []string{`POST /clients {}`}},
		{"create|--id|a|--name|N|--scope|x y|--scope|z|--default-scope|x|--ttl|1h30m|--org|o",
			[]string{`POST /clients {"client_id":"a","default_scope":"x","name":"N","org_id":"o","scope":"x y z","token_ttl":5400}`}},
		{"create|--auth-method|m|--source-ip|10.0.0.0/8, ::1|--source-ip|::2|--resource|https://a,https://b|--secret-hash|$2b$12$x",
			[]string{`POST /clients {"auth_methods":["m"],"resources":["https://a","https://b"],"secret_hash":"$2b$12$x","source_ips":["10.0.0.0/8","::1","::2"]}`}},
		{"create|--introspect", []string{`POST /clients {"scope":"introspect"}`}},
		{"create|--introspect|--scope|introspect x", []string{`POST /clients {"scope":"introspect x"}`}},
		{"create|--introspect|--scope|x|--resource|https://a|--token-use|client,customer|--enforces|source_ip|--enforces|endpoints",
			[]string{`POST /clients {"enforces":["source_ip","endpoints"],"resource":"https://a","scope":"x introspect","token_uses":["client","customer"]}`}},
		{"create|--scope|x|--mcp|https://mcp.example.com/mcp", []string{`POST /clients {"resources":["https://mcp.example.com/mcp"],"scope":"x"}`}},
		{"create|--mcp|https://a/mcp, http://127.0.0.1:8000/mcp", []string{`POST /clients {"resources":["https://a/mcp","http://127.0.0.1:8000/mcp"]}`}},
		{"create|--introspect|--mcp|https://a/mcp", []string{`POST /clients {"resource":"https://a/mcp","scope":"introspect"}`}},
		{"create|--ttl|0s", []string{`POST /clients {"token_ttl":0}`}},

		{"create|--source-ip|::1|--bind-source-ip", []string{`POST /clients {"bind_source_ip":true,"source_ips":["::1"]}`}},
		{"update|a|--bind-source-ip=false", []string{`PATCH /clients/a {"bind_source_ip":false}`}},
		{"create|--issue-limit|600/1m", []string{`POST /clients {"issue_limit":"600/1m"}`}},
		{"update|a|--issue-limit|none", []string{`PATCH /clients/a {"issue_limit":"none"}`}},
		{"list|--org|o|--state|active|--q|pay", []string{`GET /clients?limit=500&org_id=o&q=pay&state=active`}},
		{"secrets", []string{`GET /secrets?limit=500`}},
		{"secrets|a", []string{`GET /clients/a/secrets`}},
		{"secrets|--expiring|30d|--unused|90d|--old|1d|--state|all",
			[]string{`GET /secrets?expires_within=30d&limit=500&older_than=1d&state=all&unused_for=90d`}},
		{"secrets|a|--state|expired", []string{`GET /secrets?client_id=a&limit=500&state=expired`}},
		{"update|a|--ttl|0s", []string{`PATCH /clients/a {"token_ttl":0}`}},
		{"update|a|--name||--source-ip||--default-scope|", []string{`PATCH /clients/a {"default_scope":"","name":"","source_ips":[]}`}},
		{"update|a|--token-use|customer", []string{`PATCH /clients/a {"token_uses":["customer"]}`}},
		{"update|a|--resource|https://a", []string{`PATCH /clients/a {"resources":["https://a"]}`}},
		{"update|a|--introspect|--resource|https://a",
			[]string{`GET /clients/a`, `PATCH /clients/a "3" {"resource":"https://a","scope":"users:read introspect"}`}},
		{"update|a|--mcp|https://a/mcp", []string{`PATCH /clients/a {"resources":["https://a/mcp"]}`}},
		{"update|a|--introspect|--mcp|https://a/mcp",
			[]string{`GET /clients/a`, `PATCH /clients/a "3" {"resource":"https://a/mcp","scope":"users:read introspect"}`}},
		{"update|a|--introspect|--scope|x", []string{`PATCH /clients/a {"scope":"x introspect"}`}},

		{"show|a", []string{`GET /clients/a`}},
		{"delete|a", []string{`DELETE /clients/a`}},
		{"deactivate|a", []string{`POST /clients/a/deactivate`}},
		{"reactivate|a", []string{`POST /clients/a/reactivate`}},
		{"void-tokens|a", []string{`POST /clients/a/void-tokens`}},
		{"rotate-secret|a", []string{`POST /clients/a/secrets`}},
		{"rotate-secret|a|--grace|1d", []string{`POST /clients/a/secrets {"grace":"1d"}`}},
		{"rotate-secret|a|--undo", []string{`POST /clients/a/secrets/undo-rotation`}},
		{"extend-secret|a|s|--for|24h", []string{`POST /clients/a/secrets/s/extend {"for":"24h"}`}},
		{"revoke-secret|a|s", []string{`DELETE /clients/a/secrets/s`}},
		{"revoke-secret|a|s|--void-tokens", []string{`DELETE /clients/a/secrets/s?void_tokens=true`}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := f.run(t, "", append([]string{"client"}, strings.Split(tt.args, "|")...)...)
			if got.code != exitDone {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff(tt.asked, f.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

const createdJSON = `{"client_id":"a","name":"","scope":"","default_scope":"","token_ttl":null,"auth_methods":[],"source_ips":[],"resources":[],` +
	`"token_uses":[],"enforces":[],"active":true,"deactivated_at":null,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z",` +
	`"version":1,"client_secret":"gs_sandbox_x","secret_id":"s1"}`

const allSecretsJSON = `{"secrets":[{"client_id":"a","org_id":null,"state":"active","id":"s1","created_at":"2026-01-02T03:04:05Z",` +
	`"expires_at":"2026-01-03T03:04:05Z","extendable_until":"2026-02-02T03:04:05Z","last_used_at":"2026-01-02T05:00:00Z","last_used_ip":"10.1.2.3","use_count":12,"ended_at":null,"ended_by":null},` +
	`{"client_id":"b","org_id":"o","state":"ended","id":"s2","created_at":"2026-01-02T03:04:05Z","expires_at":"2026-01-02T03:05:05Z","extendable_until":null,` +
	`"last_used_at":null,"last_used_ip":null,"use_count":0,"ended_at":"2026-01-02T03:05:05Z","ended_by":"uid:0"}]}`

// TestSecretsFound: with a filter, the exit code says whether any secret is listed.
func TestSecretsFound(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"GET /secrets?expires_within=30d&limit=500": {200, allSecretsJSON},
		"GET /secrets?limit=500&unused_for=90d":     {200, `{"secrets":[]}`},
		"GET /secrets?limit=500":                    {200, allSecretsJSON},
	})
	for args, want := range map[string]int{"--expiring 30d": exitFound, "--unused 90d": exitDone, "": exitDone} {
		for _, output := range []string{"table", "json"} {
			got := f.run(t, "", append([]string{"client", "secrets", "--output", output}, strings.Fields(args)...)...)
			if got.code != want || got.err != "" || output == "json" && !strings.HasPrefix(got.out, "{") {
				t.Errorf("%q as %s: %+v", args, output, got)
			}
		}
	}
}

// TestClientOutput: how each response is printed, as a table and as JSON.
func TestClientOutput(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"POST /clients":                                {201, createdJSON},
		"GET /clients/a":                               {200, viewJSON},
		"POST /clients/a/deactivate":                   {200, viewJSON},
		"POST /clients/a/void-tokens":                  {200, viewJSON},
		"DELETE /clients/a":                            {204, ""},
		"DELETE /clients/a/secrets/s":                  {204, ""},
		"DELETE /clients/a/secrets/s?void_tokens=true": {204, ""},
		"POST /clients/a/secrets": {201, `{"client_id":"a","client_secret":"gs_sandbox_x","secret_id":"s2","previous_expires_at":"2026-01-02T04:04:05Z",` +
			`"older_secrets":[{"secret_id":"s0","expires_at":"2026-01-02T04:04:05Z","last_used_at":"2026-01-02T04:03:05Z","ends_before_grace":true},` +
			`{"secret_id":"s1","expires_at":"2026-01-03T03:04:05Z","last_used_at":null}]}`},
		"POST /clients/a/secrets/undo-rotation": {200, `{"client_id":"a","ended_secret_id":"s2","restored":[{"secret_id":"s0","expires_at":"2026-01-02T04:04:05Z"},{"secret_id":"s1","expires_at":null}]}`},
		"POST /clients/a/secrets/s0/extend":     {200, `{"client_id":"a","secret_id":"s0","expires_at":"2026-01-03T03:04:05Z","extendable_until":"2026-02-01T03:04:05Z"}`},
		"GET /clients/a/secrets": {200, `{"secrets":[{"id":"s1","created_at":"2026-01-02T03:04:05Z","expires_at":null,"last_used_at":null,"last_used_ip":null,"use_count":0},` +
			`{"id":"s2","created_at":"2026-01-02T03:04:05Z","expires_at":"2026-01-03T03:04:05Z","last_used_at":"2026-01-02T05:00:00Z","last_used_ip":"10.1.2.3","use_count":12}]}`},
		"GET /secrets?limit=500": {200, allSecretsJSON},
		"GET /clients?limit=500": {200, `{"clients":[` + viewJSON + `,{"client_id":"b","created_at":"2026-01-02T03:04:05Z"}]}`},
	})
	const note = "grantd: the client_secret is shown only once: store it now\n"
	const early = "grantd: warning: secret s0 is in use and ends at 2026-01-02T04:04:05Z, before the grace has passed: " +
		"'grantd client extend-secret a s0 --for 24h' gives it more time\n"
	tests := []struct {
		args, golden, out, err string
	}{
		{args: "create", golden: "client-create.txt", err: note},
		{args: "show a", golden: "client-show.txt"},
		{args: "list", golden: "client-list.txt"},
		{args: "secrets a", golden: "client-secrets.txt"},
		{args: "secrets", golden: "client-secrets-all.txt"},
		{args: "rotate-secret a", golden: "client-rotate-secret.txt", err: early + note},
		{args: "rotate-secret a --undo", golden: "client-undo-rotation.txt"},
		{args: "extend-secret a s0 --for 24h", golden: "client-extend-secret.txt"},
		{args: "create --output json", golden: "client-create.json"},
		{args: "deactivate a", out: "client a is deactivated; its tokens are void, and the API keys that it made have ended\n"},
		{args: "void-tokens a", out: "client a has no valid tokens anymore, and the API keys that it made have ended\n"},
		{args: "delete a", out: "client a is deleted\n"},
		{args: "delete a --output json", out: "{\n  \"deleted\": \"a\"\n}\n"},
		{args: "revoke-secret a s", out: "secret s of client a has ended; the tokens issued with it and the API keys made with those live on until they expire\n"},
		{args: "revoke-secret a s --void-tokens", out: "secret s of client a has ended; the tokens issued with it are void, and the API keys made with those have ended\n"},
		{args: "revoke-secret a s --output json", out: "{\n  \"ended\": \"s\"\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := f.run(t, "", append([]string{"client"}, strings.Fields(tt.args)...)...)
			if tt.golden != "" {
				golden(t, tt.golden, got.out)
				got.out = ""
			}
			got.is(t, result{out: tt.out, err: tt.err})
		})
	}
}

// TestImportedSecret: no secret is shown if the client brought its own.
func TestImportedSecret(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"POST /clients": {201, strings.Replace(createdJSON, `"client_secret":"gs_sandbox_x",`, "", 1)}})
	got := f.run(t, "", "client", "create", "--secret-hash", "$2b$12$x")
	if got.code != exitDone || got.err != "" || !strings.Contains(got.out, "client_secret   -\n") {
		t.Errorf("%+v", got)
	}
	for hash, note := range map[string]string{
		"{bcrypt}$2a$10$mKLOOJMBI/daJ6G6ndGmlOssMRsdXi5BcCICTVphb7LYHhxtjYULe": "grantd: note: bcrypt reads only 72 bytes of a secret, so a longer secret is refused: if it is longer, rotate it\n",
		strings.Repeat("a", 64): "grantd: note: SHA-256 protects only random secrets, so a secret of less than 32 characters is refused, and any counts as weak until it is rotated\n",
	} {
		if got := f.run(t, "", "client", "create", "--secret-hash", hash); got.code != exitDone || got.err != note {
			t.Errorf("%s: %+v", hash, got)
		}
	}
}

func TestScopeList(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"GET /scopes": {200, `{"scopes":[{"name":"users:read","description":"Read users","read_only":true,"sensitive":false,"ttl":null},` +
		`{"name":"cards-write","description":"","read_only":false,"sensitive":true,"ttl":600}]}`}})
	got := f.run(t, "", "scope", "list")
	golden(t, "scope-list.txt", got.out)
}
