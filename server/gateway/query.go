package gateway

import (
	"net/url"
	"slices"
	"strings"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
)

// Names of the query parameters.
const (
	paramScope = "scope"
	paramUse   = "token_use"
)

var (
	errQuery    = apierr.New(apierr.AccessDenied, "the query of the gateway cannot be read: it may hold scope and token_use, each once and not empty").Because(refusal.GatewayQuery)
	errNeed     = apierr.New(apierr.AccessDenied, "scope in the query of the gateway must be names separated by single spaces").Because(refusal.GatewayQuery)
	errUnknown  = apierr.New(apierr.AccessDenied, "token_use in the query of the gateway must be client, customer, on_behalf, partner or key, or several of them separated by spaces").Because(refusal.GatewayQuery)
	errExcluded = apierr.New(apierr.AccessDenied, "token_use in the query of the gateway has a kind that this resource server does not accept: see grantd client update --token-use").Because(refusal.GatewayQuery)
)

// usesClient is what a query without token_use asks for.
var usesClient = []string{useClient}

// readNeed reads what a token needs from the query. A mistake in it is the gateway's,
// and lets nothing pass: a parameter that is misspelled, repeated or empty must not
// open what it was meant to protect. accepted are the kinds of tokens that can be
// active here; nil: all.
// Errors: apierr.AccessDenied.
func readNeed(query string, accepted []string) (Need, error) {
	need := Need{Uses: usesClient}
	if query == "" {
		return need, checkUses(need, accepted)
	}
	if strings.Contains(query, ";") { // some read it as a separator
		return Need{}, errQuery
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || value == "" || seen[name] {
			return Need{}, errQuery
		}
		seen[name] = true
		set, err := scopes.Parse(value)
		switch {
		case name != paramScope && name != paramUse:
			return Need{}, errQuery
		case name == paramScope && err != nil:
			return Need{}, errNeed
		case name == paramScope:
			need.Scopes = set
		case err != nil || slices.ContainsFunc(set, isNoUse):
			return Need{}, errUnknown
		default:
			need.Uses = set
		}
	}
	return need, checkUses(need, accepted)
}

// checkUses refuses a need that no token could meet.
func checkUses(need Need, accepted []string) error {
	if accepted != nil && slices.ContainsFunc(need.Uses, func(use string) bool { return !slices.Contains(accepted, use) }) {
		return errExcluded
	}
	return nil
}

func isNoUse(name string) bool { return !slices.Contains(uses, name) }
