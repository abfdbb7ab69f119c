package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

// oddID has every special character that client ids may have.
const oddID = "billing.service~1_a-b"

const resource = "https://api.example/v1"

var styles = map[string]oauth2.AuthStyle{
	"auto-detect": oauth2.AuthStyleAutoDetect,
	"header":      oauth2.AuthStyleInHeader,
	"params":      oauth2.AuthStyleInParams,
}

// each runs the test on every store, with a client and a resource server.
func each(t *testing.T, test func(t *testing.T, s *harness.Server, c, rs clients.Created)) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		c, rs := newPair(t, s)
		test(t, s, c, rs)
	})
}

// newPair makes a client and the resource server that its tokens are for.
func newPair(t *testing.T, s *harness.Server) (c, rs clients.Created) {
	t.Helper()
	c = s.NewClient(t, oddID, "users:read users:write", func(n *clients.NewSpec) {
		resources := []string{resource}
		n.Resources = &resources
	})
	rs = s.NewClient(t, "rs", "introspect", func(n *clients.NewSpec) {
		own := resource
		n.Resource = &own
	})
	return c, rs
}

func clientConfig(s *harness.Server, c clients.Created, style oauth2.AuthStyle, scopes ...string) *clientcredentials.Config {
	return &clientcredentials.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: s.URL + "/oauth/token", Scopes: scopes, AuthStyle: style,
	}
}

func TestGoClient(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c, rs clients.Created) {
		for name, style := range styles {
			t.Run(name, func(t *testing.T) {
				cfg := clientConfig(s, c, style, "users:read")
				cfg.EndpointParams = url.Values{"resource": {resource}}
				token, err := cfg.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if token.TokenType != "Bearer" || token.RefreshToken != "" || token.Extra("scope") != "users:read" {
					t.Errorf("token: type %q, refresh token %q, scope %v", token.TokenType, token.RefreshToken, token.Extra("scope"))
				}
				if left := time.Until(token.Expiry); left > time.Hour || left < 59*time.Minute {
					t.Errorf("the token lives for %v, want an hour", left)
				}
				body := introspectAs(t, asResourceServer(t, s, rs, style), s, token.AccessToken)
				if body["active"] != true || body["client_id"] != oddID || body["scope"] != "users:read" || body["aud"] != resource {
					t.Errorf("introspection: %v", body)
				}
				revokeToken(t, s, c, token.AccessToken)
				body = introspectAs(t, asResourceServer(t, s, rs, style), s, token.AccessToken)
				if len(body) != 1 || body["active"] != false {
					t.Errorf("introspection of a revoked token: %v", body)
				}
			})
		}
	})
}

// asResourceServer returns an HTTP client that sends a bearer token of rs.
func asResourceServer(t *testing.T, s *harness.Server, rs clients.Created, style oauth2.AuthStyle) *http.Client {
	t.Helper()
	return clientConfig(s, rs, style, "introspect").Client(t.Context())
}

func introspectAs(t *testing.T, as *http.Client, s *harness.Server, token string) map[string]any {
	t.Helper()
	res, err := as.PostForm(s.URL+"/oauth/introspect", url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	if err != nil {
		t.Fatal(err)
	}
	return objectIn(t, res)
}

// revoke uses plain net/http, because x/oauth2 has no revocation.
func revokeToken(t *testing.T, s *harness.Server, c clients.Created, token string) {
	t.Helper()
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/oauth/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.ClientSecret))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := objectIn(t, res); len(body) != 0 {
		t.Errorf("revocation: %v", body)
	}
}

func objectIn(t *testing.T, res *http.Response) (body map[string]any) {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, b)
	}
	return body
}

// TestGoClientRefused checks that the library finds the error code in the
// response.
func TestGoClientRefused(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c, _ clients.Created) {
		for name, style := range styles {
			for _, row := range []struct {
				rule   string
				edit   func(*clientcredentials.Config)
				status int
				code   string
			}{
				{"wrong secret", func(c *clientcredentials.Config) { c.ClientSecret += "x" }, 401, "invalid_client"},
				{"unknown client", func(c *clientcredentials.Config) { c.ClientID = "nobody" }, 401, "invalid_client"},
				{"scope not allowed", func(c *clientcredentials.Config) { c.Scopes = []string{"introspect"} }, 400, "invalid_scope"},
				{"another's resource", func(c *clientcredentials.Config) {
					c.EndpointParams = url.Values{"resource": {"https://other.example"}}
				}, 400, "invalid_target"},
			} {
				t.Run(name+"/"+row.rule, func(t *testing.T) {
					cfg := clientConfig(s, c, style, "users:read")
					row.edit(cfg)
					_, err := cfg.Token(context.Background())
					var refused *oauth2.RetrieveError
					if !errors.As(err, &refused) || refused.Response.StatusCode != row.status || refused.ErrorCode != row.code {
						t.Errorf("error %v, want %d %s", err, row.status, row.code)
					}
				})
			}
		}
	})
}

// TestGoClientPinned checks that auto-detection finds the method that the client
// is pinned to.
func TestGoClientPinned(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, _, _ clients.Created) {
		for _, method := range []string{"client_secret_basic", "client_secret_post"} {
			c := s.NewClient(t, "", "users:read", func(n *clients.NewSpec) {
				methods := []string{method}
				n.AuthMethods = &methods
			})
			if _, err := clientConfig(s, c, oauth2.AuthStyleAutoDetect).Token(t.Context()); err != nil {
				t.Errorf("pinned to %s: %v", method, err)
			}
		}
	})
}
