package auth

import (
	"errors"
	"testing"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
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
			if !errors.As(err, &is) || is.Code != apierr.InvalidClient || is.Cause != refusal.EmptyHeader || c.ClientID != p.ClientID || c.Secret != "" {
				t.Errorf("%s, %q: %+v, %v", name, header, c, err)
			}
		}
	}
}
