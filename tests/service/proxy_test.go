package service_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

// post requests a token, with the headers that a proxy in front would add.
func post(t *testing.T, s *harness.Server, id, secret string, header http.Header, more ...string) harness.Response {
	t.Helper()
	form := strings.Join(append([]string{"grant_type=client_credentials"}, more...), "&")
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/oauth/token", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	return harness.Do(t, nil, req)
}

func behind(proxies ...string) harness.Options {
	return harness.Options{Edit: func(c *config.Config) {
		c.Public.BehindTLSProxy, c.Public.TrustedProxies = true, proxies
	}}
}

// Behind a proxy that terminates TLS, a request counts as TLS only if the proxy
// says so. Otherwise it is refused and never redirected (RFC 6749 §3.2, RFC 9700
// §4.13).
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		proxies []string
		proto   []string
		ok      bool
	}{
		{"https_at_the_proxy", []string{"127.0.0.1"}, []string{"https"}, true},
		{"proxy_by_range", []string{"10.0.0.0/8", "127.0.0.0/8"}, []string{"https"}, true},
		{"proxy_by_mapped_address", []string{"::ffff:127.0.0.1"}, []string{"https"}, true},
		{"http_at_the_proxy", []string{"127.0.0.1"}, []string{"http"}, false},
		{"header_missing", []string{"127.0.0.1"}, nil, false},
		{"header_twice", []string{"127.0.0.1"}, []string{"https", "http"}, false},
		{"header_with_two_values", []string{"127.0.0.1"}, []string{"https, http"}, false},
		{"upper_case", []string{"127.0.0.1"}, []string{"HTTPS "}, false},
		{"untrusted_peer", []string{"10.0.0.0/8"}, []string{"https"}, false},
		{"other_header_of_an_untrusted_peer", []string{"10.0.0.0/8"}, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := harness.Start(t, behind(tc.proxies...))
			c := s.NewClient(t, "billing", "users:read")
			header := http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Ssl": {"on"}, "Forwarded": {"proto=https"}}
			if tc.proto != nil {
				header["X-Forwarded-Proto"] = tc.proto
			}
			r := post(t, s, c.ClientID, c.ClientSecret, header)
			if tc.ok {
				if r.Status != 200 {
					t.Errorf("%d %s", r.Status, r.Body)
				}
				return
			}
			if r.Status != 400 || r.JSON(t)["error"] != "invalid_request" || r.Header.Get("Location") != "" || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %s %v", r.Status, r.Body, r.Header)
			}
			// Health checks carry no credentials and do not come from the proxy.
			for path, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/.well-known/oauth-authorization-server": 400, "/nothing": 400} {
				req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if r := harness.Do(t, nil, req); r.Status != status || r.Header.Get("Location") != "" {
					t.Errorf("%s: %d %s, want %d", path, r.Status, r.Body, status)
				}
			}
		})
	}
}

// Without behind_tls_proxy the header is ignored, and plain HTTP is allowed on
// loopback.
func TestForwardedProtoWithoutAProxy(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	c := s.NewClient(t, "billing", "users:read")
	for _, proto := range []string{"http", "https"} {
		if r := post(t, s, c.ClientID, c.ClientSecret, http.Header{"X-Forwarded-Proto": {proto}}); r.Status != 200 {
			t.Errorf("%s: %d %s", proto, r.Status, r.Body)
		}
	}
}

// Without TLS grantd does not start on an address beyond loopback.
func TestPlainBeyondLoopbackIsRefused(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*config.Config){
		"public.listen": func(c *config.Config) { c.Public.Listen = "0.0.0.0:0" },
		"admin.listen":  func(c *config.Config) { c.Admin.Listen = "[::]:0" },
	} {
		c := config.Defaults()
		edit(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name+": must not be open to other machines without TLS") {
			t.Errorf("%s: %v", name, err)
		}
		c.Public.BehindTLSProxy = true
		if err := c.Validate(); err != nil {
			t.Errorf("%s behind a proxy: %v", name, err)
		}
	}
}

// An admin listener without TLS is behind the same proxies.
func TestAdminBehindAProxy(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		c.Public.BehindTLSProxy, c.Public.TrustedProxies = true, []string{"127.0.0.1"}
		c.Admin.Listen = "127.0.0.1:0"
	}})
	for proto, want := range map[string]int{"https": http.StatusUnauthorized, "http": http.StatusBadRequest, "": http.StatusBadRequest} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.Server.URL("admin")+"/admin/v1/clients", nil)
		if err != nil {
			t.Fatal(err)
		}
		if proto != "" {
			req.Header.Set("X-Forwarded-Proto", proto)
		}
		if r := harness.Do(t, nil, req); r.Status != want {
			t.Errorf("X-Forwarded-Proto %q: %d %s, want %d", proto, r.Status, r.Body, want)
		}
	}
}

// A token that is bound to addresses works at the admin listener from these, and the
// proxy's address is never taken for the caller's, in the audit neither.
func TestBoundTokenAtTheAdminListenerBehindAProxy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		proxies   []string
		forwarded string
		status    int
		audited   string
	}{
		{"its_address", []string{"127.0.0.1"}, "192.0.2.1", 201, "192.0.2.1"},
		{"another_address", []string{"127.0.0.1"}, "203.0.113.9", 401, ""},
		{"an_address_that_the_caller_made_up", []string{"127.0.0.1"}, "192.0.2.1, 203.0.113.9", 401, ""},
		{"no_address", []string{"127.0.0.1"}, "", 401, ""},
		{"a_proxy_that_nobody_named", nil, "192.0.2.1", 401, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := harness.Start(t, harness.Options{Edit: func(c *config.Config) {
				behind(tc.proxies...).Edit(c)
				c.Admin.Listen = "127.0.0.1:0"
			}})
			bound := true
			c := s.NewClient(t, "ops", "admin:write", func(spec *clients.NewSpec) {
				spec.SourceIPs, spec.BindSourceIP = &[]string{"127.0.0.0/8", "192.0.2.1"}, &bound
			})
			secure := http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"192.0.2.1"}}
			token, _ := post(t, s, c.ClientID, c.ClientSecret, secure, "scope=admin:write").JSON(t)["access_token"].(string)
			req, err := http.NewRequestWithContext(t.Context(), "POST", s.Server.URL("admin")+"/admin/v1/clients", strings.NewReader(`{"client_id":"made"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "X-Forwarded-Proto": {"https"}}
			if tc.forwarded != "" {
				req.Header.Set("X-Forwarded-For", tc.forwarded)
			}
			if r := harness.Do(t, nil, req); token == "" || r.Status != tc.status {
				t.Errorf("%d %s, want %d", r.Status, r.Body, tc.status)
			}
			if r := s.AdminDo(t, "GET", "/audit?target=client:made", nil); tc.audited != "" && !strings.Contains(r.Body, `"address":"`+tc.audited+`"`) {
				t.Errorf("audit: %s", r.Body)
			}
		})
	}
}
