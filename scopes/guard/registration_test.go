package guard

import (
	"errors"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRegistrationDiffers has a row for each member and both directions: New refuses to
// start, and says what to run.
func TestRegistrationDiffers(t *testing.T) {
	address := func(*http.Request) netip.Addr { return netip.Addr{} }
	for _, c := range []struct {
		rule, registration string
		config             func(*Config)
		want               []string // parts of the error; none: it starts
	}{
		{"equal", `"client_id":"rs","token_uses":["client"],"enforces":[],"resource":""`, nil, nil},
		{
			"equal sets in another order", `"client_id":"rs","token_uses":["customer","client"],"enforces":["source_ip","endpoints"],"resource":"https://api.test"`,
			func(c *Config) {
				c.TokenUses, c.Enforces, c.Resource, c.ClientIP = []string{"client", "customer"}, []string{"endpoints", "source_ip"}, "https://api.test", address
			}, nil,
		},
		{
			"a use too many is registered", `"client_id":"rs","token_uses":["client","customer"],"enforces":[],"resource":""`, nil,
			[]string{"token_uses is registered as client,customer, and TokenUses is client", "run: grantd client update rs --token-use client"},
		},
		{
			"a use is not registered", `"client_id":"rs","token_uses":["client"],"enforces":[],"resource":""`, func(c *Config) { c.TokenUses = []string{"client", "partner"} },
			[]string{"token_uses is registered as client, and", "run: grantd client update rs --token-use client,partner"},
		},
		{
			"registered as enforcing more", `"client_id":"rs","token_uses":["client"],"enforces":["source_ip"],"resource":""`, nil,
			[]string{"enforces is registered as source_ip, and Enforces is none", "run: grantd client update rs --enforces ''"},
		},
		{
			"registered as enforcing less", `"client_id":"rs","token_uses":["client"],"enforces":[],"resource":""`, func(c *Config) { c.Enforces = []string{"endpoints", "resources"} },
			[]string{"enforces is registered as none", "--enforces endpoints,resources"},
		},
		{
			"another resource", `"client_id":"rs","token_uses":["client"],"enforces":[],"resource":"https://old.test"`, func(c *Config) { c.Resource = "https://api.test" },
			[]string{"resource is registered as https://old.test, and Resource is https://api.test", "--introspect --resource https://api.test"},
		},
		{
			"a resource that Config does not have", `"client_id":"rs","token_uses":["client"],"enforces":[],"resource":"https://old.test"`, nil,
			[]string{"resource is registered as https://old.test, and Resource is none", "--resource ''"},
		},
		{
			"a resource that is not registered", `"client_id":"rs","token_uses":["client"],"enforces":[],"resource":""`, func(c *Config) { c.Resource = "https://api.test/it's" },
			[]string{"resource is registered as none", `--resource 'https://api.test/it'\''s'`},
		},
		{"another client", `"client_id":"other","token_uses":["client"],"enforces":[],"resource":""`, nil, []string{"client_id is registered as other", "correct ClientID"}},
	} {
		for _, noStream := range []bool{false, true} {
			t.Run(c.rule, func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *fakeServer) {
					s.registration = c.registration
					config := s.config()
					config.NoStream = noStream
					if c.config != nil {
						c.config(&config)
					}
					g, err := open(config, monotonic(), s.dial)
					if len(c.want) == 0 {
						if err != nil {
							t.Fatal(err)
						}
						if r, ok := g.Registration(); !ok || r.ClientID != "rs" {
							t.Errorf("%+v %v", r, ok)
						}
						_ = g.Close()
						return
					}
					var mismatch *MismatchError
					if !errors.As(err, &mismatch) || g != nil {
						t.Fatalf("%v, want a MismatchError", err)
					}
					for _, part := range c.want {
						if !strings.Contains(err.Error(), part) {
							t.Errorf("%q lacks %q", err, part)
						}
					}
				})
			})
		}
	}
}

// TestSettingsAreNamed shows that errors call the fields of Config what the program's
// operator calls them, and never by their names in Go.
func TestSettingsAreNamed(t *testing.T) {
	names := map[string]string{"Issuer": "--issuer", "ClientID": "--client-id", "TokenUses": "--token-use", "Enforces": "--enforces", "Resource": "--resource", "Secret": "--secret", "SecretFile": "--secret-file", "CAFile": "--ca-file"}
	fields := regexp.MustCompile(`Config|Issuer|Upstream|ClientI|TokenUses|Enforces|Resource\b|Secret|CAFile|MaxEntries|NoStream`)
	for _, c := range []struct {
		rule   string
		change func(s *fakeServer, c *Config)
		want   string
	}{
		{"token uses", func(_ *fakeServer, c *Config) { c.TokenUses = []string{"client", "key"} }, "and --token-use is client,key. Either correct --token-use, or run: grantd client update rs --token-use client,key"},
		{"two differences", func(_ *fakeServer, c *Config) { c.Resource, c.Enforces = "https://api.test", []string{"endpoints"} }, "Either correct --enforces, --resource, or run"},
		{"another client", func(s *fakeServer, _ *Config) {
			s.registration = strings.Replace(s.registration, `"rs"`, `"other"`, 1)
		}, "correct --client-id or the secret"},
		{"another issuer", func(_ *fakeServer, c *Config) { c.Issuer += "/" }, `and --issuer is "http://auth.test/"`},
		{"a wrong secret", func(_ *fakeServer, c *Config) { c.Secret = "wrong" }, "check that --client-id is active"},
		{"no stream", func(s *fakeServer, _ *Config) {
			s.metadata = `{"issuer":"` + fakeIssuer + `","introspection_endpoint":"` + fakeIssuer + `/oauth/introspect"}`
		}, "no stream of revocations: update grantd"},
		{"a word twice", func(_ *fakeServer, c *Config) { c.TokenUses = []string{"client", "client"} }, `--token-use has "client"`},
		{"many", func(_ *fakeServer, c *Config) { *c = Config{Enforces: []string{"x"}, Setting: c.Setting} }, "--issuer is missing"},
		{"no such file", func(_ *fakeServer, c *Config) { c.CAFile = "/no/such/file" }, "--ca-file: open /no/such/file"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				config := s.config()
				config.Setting = func(field string) string { return names[field] }
				c.change(s, &config)
				g, err := open(config, monotonic(), s.dial)
				if err == nil {
					_ = g.Close()
					t.Fatal("it starts")
				}
				if got := err.Error(); !strings.Contains(got, c.want) || fields.MatchString(got) {
					t.Errorf("%q, want %q and no field", got, c.want)
				}
			})
		})
	}
}

// TestRegistrationChanges shows that a guard whose registration changes refuses
// everything until it is right again.
func TestRegistrationChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "first", "good", 200, 1)
		was := s.registration
		s.set(func() { s.registration = strings.Replace(was, `["client"]`, `["client","customer"]`, 1) })
		s.reset("registration")
		time.Sleep(moment)
		s.expect(g, "after the change", "good", 503, 0)
		if st := g.State(); st.Registered || st.Err == nil || !strings.Contains(st.Err.Error(), "grantd client update") {
			t.Errorf("state %+v", st)
		}
		s.set(func() { s.registration = was })
		s.reset("registration")
		time.Sleep(moment)
		s.expect(g, "changed back", "good", 200, 1)
		if st := g.State(); !st.Registered || st.Err != nil {
			t.Errorf("state %+v", st)
		}
	})
}

// TestStart has a row for what New does if the authorization server does not say the
// registration.
func TestStart(t *testing.T) {
	refuse := func(status int, paths ...string) func(*fakeServer) {
		return func(s *fakeServer) {
			s.refuse = func(path string, _ http.Header) int {
				if slices.Contains(paths, path) {
					return status
				}
				return 0
			}
		}
	}
	for _, c := range []struct {
		rule   string
		server func(*fakeServer)
		change func(*Config)
		want   string // part of the error; "": it starts, and fails closed
	}{
		{"a wrong secret", func(s *fakeServer) { s.secret = "other" }, nil, "refuses the credentials"},
		{"no right", refuse(403, "/oauth/revocations"), nil, "give it the scope introspect"},
		{"another issuer", nil, func(c *Config) { c.Issuer += "/" }, `has the issuer "http://auth.test", and Issuer is "http://auth.test/"`},
		{"an endpoint elsewhere", func(s *fakeServer) {
			s.metadata = strings.Replace(s.metadata, fakeIssuer+"/oauth/introspect", "http://evil.test/oauth/introspect", 1)
		}, nil, "another scheme or host"},
		{"an endpoint without TLS", func(s *fakeServer) {
			s.metadata = strings.Replace(s.metadata, fakeIssuer+"/oauth/revocations", "https://auth.test/oauth/revocations", 1)
		}, nil, "another scheme or host"},
		{"a server without streams", func(s *fakeServer) { s.metadata, _, _ = strings.Cut(s.metadata, `,"revocation`); s.metadata += "}" }, nil, "set NoStream"},
		{"out of reach", func(s *fakeServer) { s.away = true }, nil, ""},
		{"unavailable", refuse(503, "/oauth/revocations"), nil, ""},
		{"full", refuse(429, "/oauth/revocations"), nil, ""},
		{"metadata unavailable", refuse(503, "/.well-known/oauth-authorization-server"), nil, ""},
		{"in a black hole", func(s *fakeServer) { s.hole = true }, nil, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *fakeServer) {
				if c.server != nil {
					c.server(s)
				}
				s.add("good", "", key(1))
				config := s.config()
				if c.change != nil {
					c.change(&config)
				}
				start := time.Now()
				g, err := open(config, monotonic(), s.dial)
				if c.want != "" {
					if err == nil || !strings.Contains(err.Error(), c.want) || time.Since(start) >= config.StartTimeout+defaultStartWait {
						t.Errorf("%v after %v, want %q", err, time.Since(start), c.want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close()
				if got := time.Since(start); got != defaultStartWait {
					t.Errorf("New took %v", got)
				}
				s.expect(g, "not reached", "good", 503, 0)
				if _, ok := g.Registration(); ok || g.State().Registered || g.State().Err == nil {
					t.Errorf("state %+v", g.State())
				}
				s.set(func() { s.refuse, s.away, s.hole = nil, false, false })
				s.cut()
				time.Sleep(mostPause + 5*time.Second)
				s.expect(g, "reached", "good", 200, 1)
			})
		})
	}
}

// TestDiffersLater shows that a guard that could not compare its registration at the
// start does so when it can.
func TestDiffersLater(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.away = true
		s.registration = strings.Replace(s.registration, `["client"]`, `["key"]`, 1)
		g := s.guard(nil)
		defer g.Close()
		s.set(func() { s.away = false })
		time.Sleep(mostPause)
		s.expect(g, "reached", "good", 503, 0)
		if err := g.State().Err; err == nil || !strings.Contains(err.Error(), "--token-use client") {
			t.Errorf("state: %v", err)
		}
	})
}

func TestUpstream(t *testing.T) {
	for _, c := range []struct{ issuer, endpoint, upstream, want string }{
		{"https://a.test", "https://a.test/oauth/introspect", "", "https://a.test/oauth/introspect"},
		{"https://a.test", "https://a.test/oauth/introspect", "http://10.0.0.1:8080", "http://10.0.0.1:8080/oauth/introspect"},
		{"https://a.test", "https://a.test/oauth/introspect", "http://10.0.0.1:8080/", "http://10.0.0.1:8080/oauth/introspect"},
		{"https://a.test/tenant", "https://a.test/tenant/oauth/introspect", "http://10.0.0.1", "http://10.0.0.1/oauth/introspect"},
		{"https://a.test/tenant", "https://a.test/tenant/oauth/introspect", "http://10.0.0.1/inner", "http://10.0.0.1/inner/oauth/introspect"},
		{"https://a.test/tenant/", "https://a.test/tenant/oauth/introspect", "", "https://a.test/tenant/oauth/introspect"},
		{"https://a.test", "https://b.test/oauth/introspect", "", ""},
		{"https://a.test", "http://a.test/oauth/introspect", "", ""},
		{"https://a.test", "https://a.test:444/oauth/introspect", "", ""},
		{"https://a.test", "https://user@a.test/oauth/introspect", "", ""},
		{"https://a.test", "", "", ""},
	} {
		got, err := (&client{issuer: c.issuer, upstream: c.upstream}).place(c.endpoint)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q %v", c, got, err)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	good := Config{Issuer: "https://a.test", ClientID: "rs", Secret: "x"}
	for want, change := range map[string]func(*Config){
		"":                            func(*Config) {},
		"Issuer is missing":           func(c *Config) { c.Issuer = "" },
		"is not an http or https URL": func(c *Config) { c.Issuer = "a.test" },
		"Issuer must not hold":        func(c *Config) { c.Issuer = "https://a.test/?x=1" },
		"Upstream must not hold":      func(c *Config) { c.Upstream = "https://u:p@a.test" },
		"ClientID is missing":         func(c *Config) { c.ClientID = "" },
		"either Secret or SecretFile": func(c *Config) { c.SecretFile = "/x" },
		"SecretFile is needed":        func(c *Config) { c.Secret = "" },
		`TokenUses has "refresh"`:     func(c *Config) { c.TokenUses = []string{"refresh"} },
		`TokenUses has "client"`:      func(c *Config) { c.TokenUses = []string{"client", "client"} },
		`Enforces has "scope"`:        func(c *Config) { c.Enforces = []string{"scope"} },
		"which needs ClientIP":        func(c *Config) { c.Enforces = []string{"source_ip"} },
		"MaxStaleness is 2s":          func(c *Config) { c.MaxStaleness = 2 * time.Second },
		"MaxStaleness is 1ms":         func(c *Config) { c.MaxStaleness = time.Millisecond },
		"CacheWithoutStream is 2m0s":  func(c *Config) { c.CacheWithoutStream = 2 * time.Minute },
		"CacheWithoutStream is -1ns":  func(c *Config) { c.CacheWithoutStream = -1 },
		"MaxEntries is -1":            func(c *Config) { c.MaxEntries = -1 },
		"StartTimeout is -1ns":        func(c *Config) { c.StartTimeout = -1 },
	} {
		c := good
		change(&c)
		if _, err := c.withDefaults(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	all := Config{MaxEntries: -1, TokenUses: []string{"x"}}
	if _, err := all.withDefaults(); err == nil || strings.Count(err.Error(), "guard:") != 5 {
		t.Errorf("all faults: %v", err)
	}
	for _, file := range []string{"/nonexistent", "/dev/null"} {
		if _, err := New(Config{Issuer: "https://a.test", ClientID: "rs", SecretFile: file}); err == nil {
			t.Errorf("the secret file %s was read", file)
		}
	}
	if _, err := New(Config{Issuer: "https://a.test", ClientID: "rs", Secret: "x", CAFile: "/dev/null"}); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Errorf("CAFile: %v", err)
	}
}
