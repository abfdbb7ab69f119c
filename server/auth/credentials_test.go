package auth

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// TestEmptyHeader: an empty Authorization header is named, also if the secret or an
// assertion is in the body, and the id that the caller claims is kept.
func TestEmptyHeader(t *testing.T) {
	for name, p := range map[string]Presented{
		"alone":             {},
		"a secret":          {ClientID: "app", ClientSecret: "secret"},
		"an assertion":      {ClientID: "app", Assertion: "x", AssertionType: "y"},
		"an assertion only": {ClientID: "app", Assertion: "x"},
	} {
		for _, header := range []string{"", " "} {
			p.Authorization = []string{header}
			c, err := p.Credentials()
			var is *apierr.Error
			if !errors.As(err, &is) || is.Code != apierr.InvalidClient || !errors.Is(is.Cause, refusal.EmptyHeader) || c.ClientID != p.ClientID || c.Secret != "" {
				t.Errorf("%s, %q: %+v, %v", name, header, c, err)
			}
		}
	}
}

// TestLineBreakIsACause: a secret that ends with a line break has its own cause, also if
// the rest of it is right.
func TestLineBreakIsACause(t *testing.T) {
	plain, id, hash := credential.NewSecret("sandbox")
	client := &store.Client{ID: "billing", Secrets: []store.Secret{{ID: id, Hash: hash}}}
	a := New(Options{Environment: "sandbox", Now: time.Now})
	for secret, want := range map[string]refusal.Cause{
		plain + "\n":   refusal.SecretLineBreak,
		plain + "\r\n": refusal.SecretLineBreak,
		"imported\n":   refusal.SecretLineBreak,
		"wrong":        refusal.WrongSecret,
	} {
		if why := a.explain(client, Credentials{ClientID: "billing", Secret: secret, Method: MethodBasic}, netip.Addr{}); why.Cause != want {
			t.Errorf("%q: %s, want %s", secret[max(0, len(secret)-3):], why.Cause, want)
		}
	}
	if why := a.explain(nil, Credentials{ClientID: "nobody", Secret: "x\n", Method: MethodBasic}, netip.Addr{}); why.Cause != refusal.UnknownClient {
		t.Errorf("an unknown client: %s", why.Cause)
	}
}
