package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

const scopesReply = `{"scopes":[{"name":"users:read"},{"name":"users:write"}]}`

// refusals are what a server says about values that it refuses.
var refusals = map[string]reply{
	"GET /scopes?limit=500":                   {200, scopesReply},
	"POST /clients":                           {400, `{"error":"invalid_request","error_description":"token_ttl must be 60 to 86400 seconds, or 0 for the server's default","field":"token_ttl"}`},
	"PATCH /clients/a":                        {400, `{"error":"invalid_request","error_description":"scope holds a name that this server does not have","field":"scope"}`},
	"PATCH /clients/b":                        {400, `{"error":"invalid_request","error_description":"scope holds a name that this server does not have","field":"default_scope"}`},
	"PATCH /clients/c":                        {400, `{"error":"invalid_request","error_description":"source_ips must be IP addresses or CIDRs such as 10.0.0.0/8, at most 64","field":"source_ips"}`},
	"POST /clients/a/secrets":                 {400, `{"error":"invalid_request","error_description":"grace must be a duration from 0s to 30d, such as 24h","field":"grace"}`},
	"PUT /orgs/o":                             {400, `{"error":"invalid_request","error_description":"name must be one line of 1 to 64 characters: customers read it in messages","field":"name"}`},
	"PUT /customers/c":                        {400, `{"error":"invalid_request","error_description":"type must be individual or business","field":"type"}`},
	"PUT /partners/p/orgs/o":                  {400, `{"error":"invalid_request","error_description":"until is a time in the future","field":"until"}`},
	"POST /partners/p/tokens":                 {400, `{"error":"invalid_request","error_description":"expires_in must be 1m to 365d","field":"expires_in"}`},
	"POST /tokens/revoke":                     {400, `{"error":"invalid_request","error_description":"jti is not the id of a token of this server","field":"jti"}`},
	"GET /audit?actor=x&limit=50":             {400, `{"error":"invalid_request","error_description":"this endpoint has no such query parameter","field":"actor"}`},
	"DELETE /orgs/o":                          {409, `{"error":"conflict","error_description":"this org has clients or customers"}`},
	"GET /clients/gone":                       {404, `{"error":"not_found","error_description":"there is no client with this id"}`},
	"GET /clients/forbidden":                  {401, `{"error":"invalid_token","error_description":"the bearer token is not active"}`},
	"GET /clients/broken":                     {502, `<html>Bad Gateway</html>`},
	"POST /leaks":                             {503, `{"error":"temporarily_unavailable","error_description":"the store cannot be reached"}`},
	"POST /clients/a/secrets/Ab3dEf7h/extend": {400, `{"error":"invalid_request","error_description":"for must be a duration of at least 1s, such as 24h","field":"for"}`},
	"GET /customers?limit=500&org_id=o":       {400, `{"error":"invalid_request","error_description":"org_id must be the id of an org","field":"org_id"}`},
	"DELETE /clients/a/secrets/Ab3dEf7h":      {404, `{"error":"not_found","error_description":"there is no secret with this id"}`},
	"PUT /partners/p":                         {400, `{"error":"invalid_request","error_description":"scope holds a name that this server does not have","field":"scope"}`},
	"POST /customers/c/reset-codes":           {404, `{"error":"not_found","error_description":"there is no customer with this id"}`},
	"POST /clients/a/secrets/undo-rotation":   {409, `{"error":"conflict","error_description":"there is no rotation to undo"}`},
	"GET /store":                              {200, `{"hold":null,"kinds":["client"]}`},
	"GET /partners/p/tokens":                  {200, `oops`},
	"POST /clients/a/void-tokens":             {202, `oops`},
	"POST /tokens/explain":                    {413, `{"error":"too_large","error_description":"the body is larger than 64 KiB"}`},
	"GET /orgs/o/partners?limit=500":          {403, `{"error":"insufficient_scope","error_description":"the token lacks the scope"}`},
	"DELETE /partners/p/tokens/gp":            {404, `{"error":"not_found","error_description":"there is no partner token with this id"}`},
	"GET /clients/unknown-route":              {404, `{"error":"not_found","error_description":"there is nothing at this path"}`},
}

// failing are command lines that fail: one for each way to be wrong.
var failing = []string{
	// refused by the parser of flags
	"client|list|--frob", "client|list|-x", "version|--output|xml", "client|create|--introspect=maybe", "audit|--limit|many", "client|create|--name",
	// commands and arguments
	"clinet", "client", "client|show", "client|show|", "client|show|a|b", "help|frob",
	"client|show|a/b", "client|delete|..", "client|show|gs_live_AAAAAAAA_0123456789012345678901234567890123456789012", "org|put|a b|--name|N",
	"customer|show|ü", "partner|grant|p|a/b|--scope|cards", "client|revoke-secret|a|x/y", "partner|token|revoke|p|x/y", "key|revoke|x/y", "key|create|--org|o|--owner|p|--name|n|--scope|cards|--resource|card", "client|create|--id|a=",
	"client|create|--org|a/b", "customer|list|--org|a/b", "leak|--client|a/b|xyz", "signing-key|remove|a/b",
	// refused by the command
	"client|create|--ttl|3600", "client|create|--ttl|1500ms", "client|create|--mcp|mcp.example.com", "client|rotate-secret|a|--grace|soon", "client|extend-secret|a|s|--for|24",
	"partner|token|create|p|--name|n|--expires|90", "partner|grant|p|o|--scope|cards|--until|tomorrow", "partner|grant|p|o|--scope|cards|--endpoint|POST /cards",
	"customer|put|c|--org|o|--type|individual|--phone|5555550136", "audit|--since|yesterday", "audit|--limit|0", "token|explain|--jti=", "token|revoke|a|--jti|b",
	"store|doctor|--release|frob", "client|list|--server|auth.example.com", "client|list|--server|http://auth.example.com", "client|list|--server|https://auth.example.com",
	// a file that does not exist
	"client|list|--config|absent.yaml", "config|check|--config|absent.yaml", "store|restore|absent.backup", "store|check|--backup|absent.backup",
	"customer|import|absent.jsonl", "leak|--scan|absent.log", "store|migrate|--to|absent.yaml",
	// refused by the server
	"client|create|--ttl|48h", "client|update|a|--scope|users:raed", "client|update|b|--default-scope|frobnicate", "client|update|c|--source-ip|here",
	"client|update|a|--scope|gs_live_AAAAAAAA_0123456789012345678901234567890123456789012",
	"client|rotate-secret|a|--grace|31d", "client|extend-secret|a|Ab3dEf7h|--for|0s", "org|put|o|--name|a\nb", "customer|put|c|--org|o|--type|robot|--phone|+15555550136",
	"partner|put|p|--name|N|--scope|user:read", "partner|grant|p|o|--scope|cards|--until|2020-01-01T00:00:00Z", "partner|token|create|p|--name|n|--expires|400d",
	"token|revoke|--jti|x", "token|explain|x", "audit|--actor|x", "customer|list|--org|o",
	// failed
	"client|show|gone", "client|show|forbidden", "client|show|broken", "client|show|unknown-route", "org|delete|o", "leak|x", "client|revoke-secret|a|Ab3dEf7h",
	"client|rotate-secret|a|--undo", "partner|token|list|p", "org|partners|o",
}

// TestFailures has every message once as text and once as JSON. Both renderings have
// the same exit code.
func TestFailures(t *testing.T) {
	f := newFakeAdmin(t, refusals)
	t.Chdir(shortDir(t))
	var texts, lines strings.Builder
	for _, line := range failing {
		args := strings.Split(line, "|")
		if !strings.Contains(line, "--server") && hasSocket(args) {
			args = append(args, "--socket", f.socket)
		}
		asText, asJSON := grantd(t, "", args...), grantd(t, "", append(args, "--output", "json")...)
		if args[0] == "version" {
			asJSON = grantd(t, "", append([]string{"--output", "json"}, args...)...)
		}
		command := strings.ReplaceAll(line, "|", " ")
		if asText.code != asJSON.code || asText.code == exitDone || asText.out != "" || asJSON.out != "" {
			t.Errorf("%s: %+v, as JSON %+v", command, asText, asJSON)
		}
		var got failure
		if err := json.Unmarshal([]byte(asJSON.err), &got); err != nil || got.ExitCode != asJSON.code || got.Code == "" || got.Message == "" {
			t.Errorf("%s: not the documented form: %q", command, asJSON.err)
		}
		said := asText.err
		if i := strings.LastIndex(said, "\ngrantd: "); i >= 0 && args[0] == "client" && len(args) < 5 { // the help before it
			said = said[i+1:]
		}
		fmt.Fprintf(&texts, "%d %q\n%s", asText.code, command, strings.ReplaceAll(said, f.socket, "SOCKET"))
		lines.WriteString(strings.ReplaceAll(asJSON.err, f.socket, "SOCKET"))
	}
	t.Chdir(packageDir)
	golden(t, "failures.txt", texts.String())
	golden(t, "failures.jsonl", lines.String())
}

// packageDir is the folder of this package: golden files are relative to it.
var packageDir, _ = os.Getwd()

// hasSocket reports whether the command line can have --socket.
func hasSocket(args []string) bool {
	switch args[0] {
	case "client", "org", "customer", "partner", "token", "audit", "leak":
		return len(args) > 1 && !strings.Contains(strings.Join(args, " "), "absent.yaml") && args[len(args)-1] != "--name"
	case "store":
		return args[1] == "doctor"
	}
	return false
}

// TestServerUnreachable has what is said about each reason for no response.
func TestServerUnreachable(t *testing.T) {
	remote, local := &api{where: "https://auth.example.com:8081", remote: true}, socketAPI("/run/grantd/admin.sock")
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	var b strings.Builder
	for _, tt := range []struct {
		name   string
		server *api
		method string
		err    error
	}{
		{"socket missing", local, http.MethodGet, dial(syscall.ENOENT)},
		{"socket of a process that ended", local, http.MethodGet, dial(syscall.ECONNREFUSED)},
		{"socket of another user", local, http.MethodGet, dial(syscall.EACCES)},
		{"response lost", local, http.MethodPost, io.ErrUnexpectedEOF},
		{"refused", remote, http.MethodGet, dial(syscall.ECONNREFUSED)},
		{"no route", remote, http.MethodGet, dial(syscall.EHOSTUNREACH)},
		{"DNS", remote, http.MethodGet, dial(&net.DNSError{Err: "no such host", Name: "auth.example.com", IsNotFound: true})},
		{"time-out", remote, http.MethodGet, os.ErrDeadlineExceeded},
		{"time-out of a change", remote, http.MethodPost, os.ErrDeadlineExceeded},
		{"unknown authority", remote, http.MethodGet, x509.UnknownAuthorityError{}},
		{"another name", remote, http.MethodGet, x509.HostnameError{Certificate: &x509.Certificate{}, Host: "auth.example.com"}},
		{"expired", remote, http.MethodGet, x509.CertificateInvalidError{Reason: x509.Expired}},
		{"no TLS there", remote, http.MethodGet, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}},
		{"http there", remote, http.MethodGet, errors.New("http: server gave HTTP response to HTTPS client")},
		{"client certificate wanted", remote, http.MethodGet, errors.New("remote error: tls: certificate required")},
		{"proxy", remote, http.MethodGet, &net.OpError{Op: "proxyconnect", Net: "tcp", Err: syscall.ECONNREFUSED}},
	} {
		err := tt.server.unreachable(call{method: tt.method}, tt.err)
		got := (&app{}).failureOf(t.Context(), (&app{}).rootCommand(), err)
		fmt.Fprintf(&b, "%s\n  %s\n", tt.name, got)
		if got.ExitCode != exitFailed || got.Code != codeUnreachable || strings.Contains(got.Error(), "dial ") {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	golden(t, "unreachable.txt", b.String())
}

// TestNotesAsJSON: with --output json, every line on standard error is an object.
func TestNotesAsJSON(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"POST /clients/a/void-tokens": {202, `{"state":"unconfirmed","state_detail":"no replica has it yet"}`}})
	got := f.run(t, "", "client", "void-tokens", "a", "--output", "json")
	if got.code != exitUnconfirmed || got.err != "{\"note\":\"no replica has it yet\"}\n" {
		t.Errorf("%+v", got)
	}
}
