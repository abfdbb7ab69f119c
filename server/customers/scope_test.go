package customers

import (
	"errors"
	"testing"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/fault"
	"github.com/grantd/grantd/store"
)

// An empty scope is not a client's that lacks defaults: there are none here.
func TestEmptyScope(t *testing.T) {
	tokens := NewTokens(TokensOptions{Catalogue: scopes.Default})
	for _, attribute := range []string{"scope", "upgradableScope"} {
		_, err := tokens.scopes(Bearer{Token: &store.Token{Scopes: "cards"}}, attribute, "")
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.InvalidScope || f.Field != "/data/attributes/"+attribute || f.Description != errNoNames.Error() {
			t.Errorf("%s: %v", attribute, err)
		}
	}
}
