package protocol_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
)

const authorizePath = "/oauth/authorize"

func withMCP(issuer string) func(*config.Config) {
	return func(c *config.Config) { c.Issuer, c.Metadata.MCP = issuer, true }
}

// With metadata.mcp the document has three more members, below the path of an
// issuer too, and no other member changes.
func TestMetadataForMCP(t *testing.T) {
	t.Parallel()
	for issuer, path := range map[string]string{
		"https://auth.example":          metadataPath,
		"https://auth.example/tenant/a": metadataPath + "/tenant/a",
	} {
		plain := newWorldWithout(t, func(c *config.Config) { c.Issuer = issuer })
		w := newWorldWithout(t, withMCP(issuer))
		r := w.send(t, get(path))
		want := plain.send(t, get(path)).JSON(t)
		maps.Copy(want, map[string]any{
			"authorization_endpoint":           issuer + authorizePath,
			"response_types_supported":         []any{},
			"code_challenge_methods_supported": []any{"S256"},
		})
		t.Run("metadata_mcp/"+path, func(t *testing.T) {
			if diff := cmp.Diff(want, r.JSON(t)); diff != "" {
				t.Error(diff)
			}
			if path == metadataPath {
				checkGolden(t, "testdata/metadata_mcp.golden", indented(t, r.Body))
			}
		})
	}
}

// The authorization endpoint refuses everything in the same way, and what is in
// its URL reaches no log.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withMCP(""))
	const callback = "https://app.example/callback"
	code := "?response_type=code&client_id=app&code_challenge_method=S256&code_challenge=x&redirect_uri=" + percent(callback)
	noCode := func(name string, c call) row {
		return row{name: "no_code_flow/" + name, call: c, status: 400, code: "unsupported_response_type",
			header: map[string]string{"Location": "", "Set-Cookie": "", "Refresh": "", "Content-Type": "application/json"},
			also: func(t *testing.T, r harness.Response) {
				if strings.Contains(r.Body, "app.example") {
					t.Errorf("the response reflects the request: %s", r.Body)
				}
			}}
	}
	w.run(t, []row{
		noCode("code", get(authorizePath+code)),
		noCode("token", get(authorizePath+"?response_type=token&redirect_uri="+percent(callback))),
		noCode("client_credentials", get(authorizePath+"?response_type=client_credentials")),
		noCode("nothing", get(authorizePath)),
		noCode("no_response_type", get(authorizePath+"?client_id=app")),
		noCode("repeated", get(authorizePath+"?response_type=code&response_type=code")),
		noCode("malformed_query", get(authorizePath+"?%zz&;&=&redirect_uri=//evil")),
		noCode("secret_in_query", get(authorizePath+"?client_id=app&client_secret="+w.app.ClientSecret)),
		noCode("token_in_query", get(authorizePath+"?access_token="+w.token(t, w.app, ""))),
		noCode("post", form(authorizePath, strings.TrimPrefix(code, "?"))),
		noCode("post_with_credentials", form(authorizePath, "response_type=code", basic(w.app))),
		noCode("post_json", call{method: "POST", target: authorizePath, headers: []string{"Content-Type: application/json"}, body: `{"response_type":"code"}`}),
		noCode("accept_html", get(authorizePath+code, "Accept: text/html", "Cookie: session=x", "Origin: https://app.example")),
		{name: "no_code_flow/head", call: call{method: "HEAD", target: authorizePath + code}, status: 400, header: map[string]string{"Location": ""}},
		{name: "no_code_flow/put", call: call{method: "PUT", target: authorizePath}, status: 405, code: badRequest, header: map[string]string{"Allow": "POST, GET, HEAD"}},
	})
	for _, part := range []string{w.app.ClientSecret, "app.example", "code_challenge", "client_secret="} {
		if strings.Contains(w.Logs.String(), part) {
			t.Errorf("the log has %q, which was in the URL", part)
		}
	}
	off := newWorldWithout(t)
	off.run(t, []row{
		{name: "no_authorize_route/get", call: get(authorizePath + code), status: 404, code: "not_found"},
		{name: "no_authorize_route/post", call: form(authorizePath, "response_type=code"), status: 404, code: "not_found"},
	})
}
