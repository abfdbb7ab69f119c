package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grantd/grantd/scopes"
)

// Policies are what tokens need, by the names that are in the paths of Envoy.
type Policies map[string]Need

// Problems of a policy. They do not repeat its values.
var (
	errPolicyScope = errors.New("scope must be names separated by single spaces")
	errPolicyUse   = errors.New("token_use must be client, customer, on_behalf, partner or key, or several of them separated by single spaces")
)

// Add adds a policy: the scopes that a token needs ("": any active token passes), and the
// kinds of tokens that pass ("": client), both separated by single spaces. accepted are
// the kinds of tokens that can be active here; nil: all.
// An error says which of name, scope and token_use is wrong, and why.
func (p Policies) Add(name, scope, tokenUse string, accepted []string) error {
	need := Need{Uses: usesClient}
	switch _, twice := p[name]; {
	case !validPolicy(name):
		return errors.New("name must be 1 to 64 of A-Z a-z 0-9 - _")
	case twice:
		return errors.New("name is used twice")
	}
	var err error
	if need.Scopes, err = scopes.Parse(scope); err != nil {
		return errPolicyScope
	}
	if tokenUse != "" {
		need.Uses, err = scopes.Parse(tokenUse)
	}
	if err != nil || slices.ContainsFunc(need.Uses, isNoUse) {
		return errPolicyUse
	}
	if checkUses(need, accepted) != nil {
		return fmt.Errorf("token_use must be among %s, the kinds that --token-use says the resource server accepts", strings.Join(accepted, ", "))
	}
	p[name] = need
	return nil
}

// validPolicy reports whether the name is one whose path has one form only: no escapes,
// no dots.
func validPolicy(name string) bool {
	const longest = 64
	return name != "" && len(name) <= longest && strings.Trim(name, policyCharacters) == ""
}

const policyCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
