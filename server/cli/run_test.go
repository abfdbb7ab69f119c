package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	tests := map[string][]string{
		"help-root.txt":          {"--help"},
		"help-client.txt":        {"client", "--help"},
		"help-client-create.txt": {"client", "create", "--help"},
		"help-token-explain.txt": {"help", "token", "explain"},
		"help-edge.txt":          {"edge", "--help"},

		"help-store.txt":            {"store", "--help"},
		"help-store-backup.txt":     {"store", "backup", "--help"},
		"help-store-restore.txt":    {"store", "restore", "--help"},
		"help-store-check.txt":      {"help", "store", "check"},
		"help-store-migrate.txt":    {"store", "migrate", "--help"},
		"help-store-set-issuer.txt": {"store", "set-issuer", "--help"},

		"help-client-import.txt":   {"client", "import", "--help"},
		"help-org.txt":             {"org", "--help"},
		"help-org-put.txt":         {"org", "put", "--help"},
		"help-customer.txt":        {"customer", "--help"},
		"help-customer-put.txt":    {"customer", "put", "--help"},
		"help-customer-list.txt":   {"customer", "list", "--help"},
		"help-customer-import.txt": {"help", "customer", "import"},

		"help-partner.txt":              {"partner", "--help"},
		"help-partner-put.txt":          {"partner", "put", "--help"},
		"help-partner-grant.txt":        {"partner", "grant", "--help"},
		"help-partner-token.txt":        {"partner", "token", "--help"},
		"help-partner-token-create.txt": {"help", "partner", "token", "create"},
	}
	for file, args := range tests {
		t.Run(file, func(t *testing.T) {
			got := grantd(t, "", args...)
			if got.code != exitDone || got.err != "" {
				t.Errorf("exit code %d, stderr %q", got.code, got.err)
			}
			golden(t, file, got.out)
		})
	}
}

const wantPerson = `--authorized-user must be a name and a telephone number with its country code, such as "Jane Doe +15555550199" or "Jane Doe +15555550199 id=20"; see 'grantd customer put --help'`

const wantMCP = `--mcp must be the URL at which clients call the MCP server, such as https://mcp.example.com/mcp, without query and fragment; see 'grantd client create --help'`

const (
	wantUntil    = `--until must be a time in RFC 3339 format, such as 2027-01-01T00:00:00Z; see 'grantd partner grant --help'`
	wantEndpoint = `--endpoint: an endpoint is GET or HEAD, one space and a path pattern as of Go's net/http, such as "GET /cards" or "GET /customers/{id}/cards"; see 'grantd partner grant --help'`
)

// Misuse prints one line on standard error, nothing on standard output, and
// ends with code 2.
func TestMisuse(t *testing.T) {
	tests := []struct {
		name string
		args string // separated by |
		says string
	}{
		{"unknown command", "clinet", `unknown command "clinet", did you mean client?; see 'grantd --help'`},
		{"unknown command below a noun", "client|shw", `unknown command "shw", did you mean show?; see 'grantd client --help'`},
		{"unknown command with an unknown flag", "frob|put|acme|--name|N", `unknown command "frob"; see 'grantd --help'`},
		{"unknown topic of help", "help|frob", `unknown command "frob"; see 'grantd --help'`},
		{"unknown shell", "completion|frob", `unknown command "frob"; see 'grantd completion --help'`},
		{"unknown flag", "client|list|--frob", `unknown flag: --frob; see 'grantd client list --help'`},
		{"unknown output", "version|--output|xml", `invalid argument "xml" for "--output" flag: must be table or json; see 'grantd version --help'`},
		{"no ID", "client|show", `ID is missing; see 'grantd client show --help'`},
		{"empty ID", "client|delete|", `ID is empty; see 'grantd client delete --help'`},
		{"two IDs", "client|show|a|b", `1 argument too many; see 'grantd client show --help'`},
		{"no SID", "client|revoke-secret|a", `SID is missing; see 'grantd client revoke-secret --help'`},
		{"argument where none is", "serve|a|b", `2 arguments too many; see 'grantd serve --help'`},
		{"ttl without unit", "client|create|--ttl|3600", `--ttl: "3600" has no unit; write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms; see 'grantd client create --help'`},
		{"ttl of half a second", "client|create|--ttl|1500ms", `--ttl: must be a whole number of seconds; see 'grantd client create --help'`},
		{"empty id at creation", "client|create|--id|", `--id is empty; see 'grantd client create --help'`},
		{"import from nothing", "client|import|f", `--from must be jsonl or doorkeeper or hydra; see 'grantd client import --help'`},
		{"import from elsewhere", "client|import|f|--from|keycloak", `--from must be jsonl or doorkeeper or hydra; see 'grantd client import --help'`},
		{"empty hash at creation", "client|create|--secret-hash=", `--secret-hash is empty; see 'grantd client create --help'`},
		{"token use of no resource server", "client|create|--token-use|client", `--token-use applies only to resource servers: add --introspect; see 'grantd client create --help'`},
		{"enforces of no resource server", "client|create|--enforces|source_ip", `--enforces applies only to resource servers: add --introspect; see 'grantd client create --help'`},
		{"two URIs of one resource server", "client|create|--introspect|--resource|https://a,https://b", `with --introspect, --resource is the URI of the resource server itself: give it only once; see 'grantd client create --help'`},
		{"two MCP servers in one", "client|create|--introspect|--mcp|https://a,https://b", `with --introspect, --mcp is the URI of the resource server itself: give it only once; see 'grantd client create --help'`},
		{"MCP server and resource", "client|create|--mcp|https://a|--resource|https://a", `--mcp and --resource set the same: give one of them; see 'grantd client create --help'`},
		{"MCP server by a relative URL", "client|create|--mcp|/mcp", wantMCP},
		{"MCP server without scheme", "client|create|--mcp|mcp.example.com/mcp", wantMCP},
		{"MCP server that is no URL", "client|create|--mcp|urn:example:mcp", wantMCP},
		{"MCP server with a fragment", "client|create|--mcp|https://a/mcp#x", wantMCP},
		{"MCP server with an empty fragment", "client|create|--mcp|https://a/mcp#", wantMCP},
		{"MCP server with a query", "client|create|--mcp|https://a/mcp?x=1", wantMCP},
		{"MCP server with a password", "client|create|--mcp|https://u:p@a/mcp", wantMCP},
		{"one of two MCP servers", "client|create|--mcp|https://a/mcp,ftp://a", wantMCP},
		{"no MCP server", "client|create|--mcp=", wantMCP},
		{"no MCP server in an update", "client|update|a|--mcp=", strings.ReplaceAll(wantMCP, "create", "update")},
		{"org in an update", "client|update|a|--org|b", `unknown flag: --org; see 'grantd client update --help'`},
		{"empty update", "client|update|a", `nothing to change: give at least one flag such as --scope; see 'grantd client update --help'`},
		{"undo with grace", "client|rotate-secret|a|--undo|--grace|1h", "--undo and --grace exclude each other: give only one; see 'grantd client rotate-secret --help'"},
		{"extension without a time", "client|extend-secret|a|s", "--for is missing; see 'grantd client extend-secret --help'"},
		{"extension without unit", "client|extend-secret|a|s|--for|24", `--for: "24" has no unit; write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms; see 'grantd client extend-secret --help'`},
		{"grace without unit", "client|rotate-secret|a|--grace|24", `--grace: "24" has no unit; write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms; see 'grantd client rotate-secret --help'`},
		{"org without ID", "org|put|--name|N", `ID is missing; see 'grantd org put --help'`},
		{"org without name", "org|put|o", `--name is missing; see 'grantd org put --help'`},
		{"org with empty name", "org|put|o|--name=", `--name is empty; see 'grantd org put --help'`},
		{"verb of customers for orgs", "org|reset-codes|o", `unknown command "reset-codes"; see 'grantd org --help'`},
		{"customer of no org", "customer|put|c|--type|individual|--phone|+15555550136", `--org is missing; see 'grantd customer put --help'`},
		{"customer of an empty org", "customer|put|c|--org=|--type|individual|--phone|+15555550136", `--org is empty; see 'grantd customer put --help'`},
		{"customer of no type", "customer|put|c|--org|o|--phone|+15555550136", `--type is missing; see 'grantd customer put --help'`},
		{"customer without a phone", "customer|put|c|--org|o|--type|individual", `--phone is missing; see 'grantd customer put --help'`},
		{"phone without country code", "customer|put|c|--org|o|--type|individual|--phone|5555550136", `--phone must be a telephone number with its country code, such as +15555550136; see 'grantd customer put --help'`},
		{"authorised user without number", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user|Jane Doe 5555550199", wantPerson},
		{"authorised user without name", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user|+15555550199", wantPerson},
		{"authorised user with no number after +", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user|Jane + Doe", wantPerson},
		{"authorised user with number before name", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user|Jane +15555550199 Doe", wantPerson},
		{"authorised user with a bad id", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user|Jane Doe +15555550199 id=a/b", wantPerson},
		{"authorised user with an empty id", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user|Jane Doe +15555550199 id=", wantPerson},
		{"authorised user with only an id", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user|id=20", wantPerson},
		{"empty authorised user", "customer|put|c|--org|o|--type|business|--phone|+15555550136|--authorized-user=", wantPerson},
		{"customers of an empty org", "customer|list|--org=", `--org is empty; see 'grantd customer list --help'`},
		{"mute for no time", "customer|mute|10001|--for|soon", `--for: "soon" is not a duration; write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms; see 'grantd customer mute --help'`},
		{"phone to find without country code", "customer|list|--phone|5555550136", `--phone must be a telephone number with its country code, such as +15555550136; see 'grantd customer list --help'`},
		{"customer without ID", "customer|show", `ID is missing; see 'grantd customer show --help'`},
		{"import of nothing", "customer|import", `FILE is missing; see 'grantd customer import --help'`},
		{"import of two files", "customer|import|a|b", `1 argument too many; see 'grantd customer import --help'`},
		{"partner without ID", "partner|put|--name|N|--scope|cards", `ID is missing; see 'grantd partner put --help'`},
		{"partner without name", "partner|put|p|--scope|cards", `--name is missing; see 'grantd partner put --help'`},
		{"partner without scope", "partner|put|p|--name|N", `--scope is missing; see 'grantd partner put --help'`},
		{"partner with empty scope", "partner|put|p|--name|N|--scope=", `--scope is empty; see 'grantd partner put --help'`},
		{"grant to nobody", "partner|grant", `ID is missing; see 'grantd partner grant --help'`},
		{"grant of no org", "partner|grant|p|--scope|cards", `ORG is missing; see 'grantd partner grant --help'`},
		{"grant of an empty org", "partner|grant|p||--scope|cards", `ORG is empty; see 'grantd partner grant --help'`},
		{"grant without scope", "partner|grant|p|o", `--scope is missing; see 'grantd partner grant --help'`},
		{"grant until a day", "partner|grant|p|o|--scope|cards|--until|2027-01-01", wantUntil},
		{"grant until an empty time", "partner|grant|p|o|--scope|cards|--until=", wantUntil},
		{"grant for a time", "partner|grant|p|o|--scope|cards|--until|90d", wantUntil},
		{"endpoint without method", "partner|grant|p|o|--scope|cards|--endpoint|/cards", wantEndpoint},
		{"endpoint that writes", "partner|grant|p|o|--scope|cards|--endpoint|GET /cards|--endpoint|POST /cards", wantEndpoint},
		{"empty endpoint", "partner|grant|p|o|--scope|cards|--endpoint=", wantEndpoint},
		{"endpoints that conflict", "partner|grant|p|o|--scope|cards|--endpoint|GET /cards|--endpoint|GET /cards", `--endpoint: two endpoints match some of the same paths and neither is the narrower one: no router takes both; see 'grantd partner grant --help'`},
		{"revoke of no org", "partner|revoke|p", `ORG is missing; see 'grantd partner revoke --help'`},
		{"orgs of nobody", "partner|orgs", `ID is missing; see 'grantd partner orgs --help'`},
		{"partner token without ID", "partner|token|create|--name|n", `ID is missing; see 'grantd partner token create --help'`},
		{"partner token without name", "partner|token|create|p", `--name is missing; see 'grantd partner token create --help'`},
		{"partner token with empty name", "partner|token|create|p|--name=", `--name is empty; see 'grantd partner token create --help'`},
		{"partner token without unit", "partner|token|create|p|--name|n|--expires|90", `--expires: "90" has no unit; write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms; see 'grantd partner token create --help'`},
		{"partner token until a time", "partner|token|create|p|--name|n|--expires|2027-01-01T00:00:00Z", `--expires: "2027-01-01T00:00:00Z" is not a duration; write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms; see 'grantd partner token create --help'`},
		{"partner tokens of nobody", "partner|token|list", `ID is missing; see 'grantd partner token list --help'`},
		{"revoke of no partner token", "partner|token|revoke|p", `TOKEN_ID is missing; see 'grantd partner token revoke --help'`},
		{"unknown verb of partner tokens", "partner|token|rotate|p", `unknown command "rotate"; see 'grantd partner token --help'`},
		{"no token", "token|explain", `standard input is empty: it must contain a token; see 'grantd token explain --help'`},
		{"empty token", "token|explain|", `TOKEN is empty; see 'grantd token explain --help'`},
		{"two tokens", "token|revoke|a|b", `1 argument too many; see 'grantd token revoke --help'`},
		{"token and jti", "token|revoke|a|--jti|b", `TOKEN and --jti exclude each other: give only one; see 'grantd token revoke --help'`},
		{"empty jti", "token|revoke|--jti=", `--jti is empty; see 'grantd token revoke --help'`},
		{"audit since yesterday", "audit|--since|yesterday", `--since must be a time such as 2026-01-31T08:00:00Z, or how long ago it was, such as 24h or 7d; see 'grantd audit --help'`},
		{"audit until nothing", "audit|--until=", `--until must be a time such as 2026-01-31T08:00:00Z, or how long ago it was, such as 24h or 7d; see 'grantd audit --help'`},
		{"audit by nobody", "audit|--actor=", `--actor is empty; see 'grantd audit --help'`},
		{"audit followed to an end", "audit|--follow|--until|1h", `--follow and --until exclude each other: give only one; see 'grantd audit --help'`},
		{"audit of nothing", "audit|--limit|0", `--limit must be 1 or more; see 'grantd audit --help'`},
		{"dev beyond this machine", "dev|--listen|0.0.0.0:0", `--listen must not be open to other machines without TLS: set public.tls.cert_file and public.tls.key_file, or public.behind_tls_proxy if a proxy in front terminates TLS (flag); see 'grantd dev --help'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			grantd(t, "", strings.Split(tt.args, "|")...).is(t, result{code: exitUsage, err: "grantd: " + tt.says + "\n"})
		})
	}
}

// A noun alone shows its commands, but does not succeed.
func TestNoCommand(t *testing.T) {
	for _, args := range [][]string{nil, {"client"}, {"org"}, {"customer"}, {"partner"}, {"partner", "token"}, {"token"}, {"config"}, {"completion"}} {
		path := strings.Join(append([]string{"grantd"}, args...), " ")
		got := grantd(t, "", args...)
		last := "grantd: a command is missing; see '" + path + " --help'\n"
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, "Usage:\n  "+path+" [command]") || !strings.HasSuffix(got.err, last) {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"POST /clients": {201, `{"client_id":"a","client_secret":"s"}`}})
	for _, format := range []string{"table", "json"} {
		var errs strings.Builder
		code := Run(t.Context(), []string{"client", "create", "--socket", f.socket, "--output", format}, Streams{Out: fullDisk{}, Err: &errs})
		want := "grantd: cannot write the output: no space left on device\n"
		if format == "json" {
			want = `{"error":"failed","message":"cannot write the output: no space left on device","exit_code":1}` + "\n"
		}
		if code != exitFailed || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: code %d, stderr %q", format, code, errs.String())
		}
	}
}

func TestInterrupted(t *testing.T) {
	f := newFakeAdmin(t, nil)
	endless, w := io.Pipe()
	defer w.Close()
	for _, args := range [][]string{{"client", "list"}, {"token", "explain"}} {
		var out, errs strings.Builder
		code := Run(canceledContext(t), append(args, "--socket", f.socket), Streams{In: endless, Out: &out, Err: &errs})
		(result{code, out.String(), errs.String()}).is(t, result{exitFailed, "", "grantd: interrupted\n"})
	}
}

func TestVersion(t *testing.T) {
	if got := grantd(t, "", "version"); got.code != exitDone || !strings.HasPrefix(got.out, "version  ") {
		t.Errorf("%+v", got)
	}
	if got := grantd(t, "", "version", "--output", "json"); got.code != exitDone || !strings.HasPrefix(got.out, "{\n  \"version\": ") {
		t.Errorf("%+v", got)
	}
}
