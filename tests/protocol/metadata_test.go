package protocol_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
)

const metadataPath = "/.well-known/oauth-authorization-server"

func get(target string, headers ...string) call {
	return call{method: "GET", target: target, headers: headers}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	const issuer = "https://auth.example"
	w := newWorld(t, func(c *config.Config) { c.Issuer = issuer })
	r := w.send(t, get(metadataPath))
	doc := r.JSON(t)
	t.Run("metadata_document", func(t *testing.T) {
		if r.Status != 200 || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %v", r.Status, r.Header)
		}
		checkGolden(t, "testdata/metadata.golden", indented(t, r.Body))
	})
	t.Run("metadata_issuer/issuer_as_configured", func(t *testing.T) {
		if doc["issuer"] != issuer {
			t.Errorf("issuer %v", doc["issuer"])
		}
	})
	t.Run("metadata_issuer/iss_of_introspection_is_the_issuer", func(t *testing.T) {
		told := w.send(t, about(w.token(t, w.app, ""), basic(w.rs))).JSON(t)
		if told["iss"] != issuer {
			t.Errorf("iss %v", told["iss"])
		}
	})
	t.Run("no_fragment/in_the_document", func(t *testing.T) {
		for name, v := range doc {
			s, ok := v.(string)
			if u, err := url.Parse(s); ok && (err != nil || strings.ContainsAny(s, "#?") || !u.IsAbs()) {
				t.Errorf("%s: %s", name, s)
			}
		}
	})
	t.Run("no_response_types", func(t *testing.T) {
		if _, ok := doc["response_types_supported"]; ok {
			t.Error("response_types_supported is present")
		}
	})
	t.Run("no_empty_lists", func(t *testing.T) {
		for name, v := range doc {
			if list, ok := v.([]any); ok && len(list) == 0 || v == nil || v == "" {
				t.Errorf("%s is empty", name)
			}
		}
	})
	notAllowed := func(name, method string) row {
		return row{name: name, call: call{method: method, target: metadataPath}, status: 405, code: badRequest,
			header: map[string]string{"Allow": "GET, HEAD"}}
	}
	w.run(t, []row{
		{name: "metadata_methods/head", call: call{method: "HEAD", target: metadataPath}, status: 200, header: map[string]string{"Content-Type": "application/json"},
			also: func(t *testing.T, r harness.Response) {
				if r.Body != "" {
					t.Error("HEAD with a body")
				}
			}},
		notAllowed("metadata_methods/post", "POST"),
		notAllowed("metadata_methods/put", "PUT"),
		granted("accept_is_ignored/metadata_accept_html", get(metadataPath, "Accept: text/html")),
		// Resource servers publish the metadata of protected resources (RFC 9728 §3).
		{name: "no_resource_metadata", call: get("/.well-known/oauth-protected-resource"), status: 404, code: "not_found"},
	})
}

func indented(t *testing.T, document string) string {
	t.Helper()
	var pretty strings.Builder
	e := json.NewEncoder(&pretty)
	e.SetIndent("", "  ")
	if err := e.Encode(json.RawMessage(document)); err != nil {
		t.Fatal(err)
	}
	return pretty.String()
}

// What the document lists works, and what it does not list does not.
func TestMetadataIsTrue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.send(t, get(metadataPath)).JSON(t)
	requests := map[string]string{
		"token":         grant,
		"introspection": "token=" + w.token(t, w.app, ""),
		"revocation":    "token=x",
	}
	rsToken := w.token(t, w.rs, "introspect")
	for endpoint, body := range requests {
		address, _ := doc[endpoint+"_endpoint"].(string)
		path, ok := strings.CutPrefix(address, w.URL)
		if !ok {
			t.Fatalf("%s endpoint: %q", endpoint, address)
		}
		client := w.app
		if endpoint == "introspection" {
			client = w.rs
		}
		ways := map[string]call{
			"client_secret_basic": form(path, body, basic(client)),
			"client_secret_post":  form(path, body+credentials(client)),
			"Bearer":              form(path, body, bearer(rsToken)),
			"none":                form(path, body+"&client_id="+client.ClientID),
			"private_key_jwt":     form(path, body+assertion),
		}
		listed := map[string]bool{}
		for _, m := range doc[endpoint+"_endpoint_auth_methods_supported"].([]any) {
			listed[m.(string)] = true
		}
		for method, c := range ways {
			t.Run("metadata_is_true/"+endpoint+"_"+method, func(t *testing.T) {
				if r := w.send(t, c); (r.Status == 200) != listed[method] {
					t.Errorf("listed %v, but %d %s", listed[method], r.Status, r.Body)
				}
			})
			delete(listed, method)
		}
		if len(listed) > 0 {
			t.Errorf("listed methods without a row here: %v", listed)
		}
	}
	t.Run("metadata_is_true/grants", func(t *testing.T) {
		if !equal(doc["grant_types_supported"], []any{"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"}) {
			t.Errorf("%v", doc["grant_types_supported"])
		}
		a := newAlliance(t)
		granted("", call{}).check(t, a.send(t, ask(trade(a.token, sharedTwo))))
	})
	t.Run("metadata_is_true/scopes", func(t *testing.T) {
		all := w.client(t, "all", "")
		for _, s := range doc["scopes_supported"].([]any) {
			if r := w.AdminDo(t, "PATCH", "/clients/"+all.ClientID, map[string]any{"scope": s}); r.Status != 200 {
				t.Errorf("%v: %d %s", s, r.Status, r.Body)
			}
		}
	})
}

func TestMetadataOfAnIssuerWithAPath(t *testing.T) {
	t.Parallel()
	const issuer = "https://auth.example/tenant/a"
	w := newWorld(t, func(c *config.Config) { c.Issuer = issuer })
	w.run(t, []row{
		{name: "metadata_issuer/path_is_inserted", call: get(metadataPath + "/tenant/a"), status: 200, also: func(t *testing.T, r harness.Response) {
			doc := r.JSON(t)
			if doc["issuer"] != issuer || doc["token_endpoint"] != issuer+"/oauth/token" {
				t.Errorf("issuer %v, token endpoint %v", doc["issuer"], doc["token_endpoint"])
			}
		}},
		{name: "metadata_issuer/other_path", call: get(metadataPath + "/tenant/b"), status: 404, code: "not_found"},
	})
	for name, bad := range map[string]string{
		"metadata_issuer/query": "https://auth.example?x=1", "no_fragment/in_the_issuer": "https://auth.example#x", "metadata_issuer/http_in_live": "http://auth.example",
		"metadata_issuer/empty_in_live": "", "metadata_issuer/trailing_slash": "https://auth.example/",
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Defaults()
			c.Issuer = bad
			if strings.HasSuffix(name, "live") {
				c.Environment, c.Customers.Sender = "live", "webhook"
				c.Customers.Webhook.URL = "https://sms.example"
			}
			if !strings.Contains(c.Validate().Error(), "issuer") {
				t.Errorf("%q is accepted", bad)
			}
		})
	}
}
