package copies_test

import (
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/tests/harness"
)

// TestSetIssuer gives the store of a server another issuer: secrets and tokens go on
// to work, and a token keeps the issuer that it was issued under.
func TestSetIssuer(t *testing.T) {
	t.Parallel()
	const first, second = "https://a.example.com", "https://b.example.com"
	for kind, at := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := at(t)
			issuer := func(url string) func(*config.Config) { return func(c *config.Config) { c.Issuer = url } }
			s := p.start(t, issuer(first))
			client, rs := s.NewClient(t, "shop", "users:read"), s.NewClient(t, "rs", "introspect")
			old := s.Token(t, client, "")
			s.Close()

			opened, err := server.OpenStore(t.Context(), p.configuration(), options, true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := backup.SetIssuer(t.Context(), opened, second, options); err != nil {
				t.Fatal(err)
			}
			if err := opened.Close(); err != nil {
				t.Fatal(err)
			}
			s = p.start(t, issuer(second))
			expectIssuer(t, s.Introspect(t, rs, old), first)
			expectIssuer(t, s.Introspect(t, rs, s.Token(t, client, "")), second)
		})
	}
}

func expectIssuer(t *testing.T, r harness.Response, want string) {
	t.Helper()
	if !r.Active() || !strings.Contains(r.Body, `"iss":"`+want+`"`) {
		t.Errorf("want a token of %s: %v", want, r)
	}
}
