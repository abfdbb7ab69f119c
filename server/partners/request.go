package partners

import (
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
)

// maxLife is the longest life of an on-behalf token, and its life if the
// partner does not request one, in seconds.
const maxLife = int64(scopes.MaxTokenLife / time.Second)

// Bounds of sourceIp: a token's record has room for that many.
const (
	maxSourceIPs   = 32
	maxSourceIPLen = 2048
)

// Request is what a partner sends for an on-behalf token.
type Request struct {
	OrgID     *string `json:"orgId"`
	Scopes    *string `json:"scopes"`
	SourceIP  *string `json:"sourceIp"`
	ExpiresIn *int64  `json:"expiresIn"` // seconds
}

var (
	errNoOrgID   = apierr.Member("orgId", "orgId is missing: send the id of an org that GET /partners/orgs lists")
	errNoScopes  = apierr.Member("scopes", "scopes is missing: name at least one, separated by spaces")
	errSourceIP  = apierr.Member("sourceIp", "sourceIp is a list of IP addresses or CIDRs, separated by commas without spaces, at most 32")
	errExpiresIn = apierr.Member("expiresIn", "expiresIn is a number of seconds from 1 to 86400")
)

// wanted is a parsed request: the token that the partner wants.
type wanted struct {
	org       string
	scopes    []string // empty: all that the org granted
	sourceIPs []string // empty: from anywhere
	life      time.Duration
}

// parse reads the request. Errors: apierr.InvalidRequest.
func (r Request) parse() (w wanted, err error) {
	if r.OrgID == nil {
		return w, errNoOrgID
	}
	w.org = *r.OrgID
	if w.scopes, err = parseScopes(r.Scopes); err != nil {
		return w, err
	}
	if len(w.scopes) == 0 {
		return w, errNoScopes
	}
	if w.sourceIPs, err = parseSourceIPs(r.SourceIP); err != nil {
		return w, err
	}
	life := maxLife
	if r.ExpiresIn != nil {
		if life = *r.ExpiresIn; life < 1 || life > maxLife {
			return w, errExpiresIn
		}
	}
	w.life = time.Duration(life) * time.Second
	return w, nil
}

// parseScopes reads the scopes that a partner asks for. It does not look them
// up in the catalogue: a scope that does not exist was not granted either.
func parseScopes(text *string) ([]string, error) {
	if text == nil {
		return nil, nil
	}
	names, err := scopes.Parse(*text)
	if err != nil {
		return nil, apierr.Member("scopes", err.Error()).WithReason(err)
	}
	return names, nil
}

// parseSourceIPs reads a comma-separated list of addresses and ranges.
func parseSourceIPs(text *string) ([]string, error) {
	if text == nil {
		return nil, nil
	}
	if len(*text) > maxSourceIPLen || strings.Count(*text, ",") >= maxSourceIPs {
		return nil, errSourceIP
	}
	clean, ok := field.CleanRanges(strings.Split(*text, ","))
	if !ok {
		return nil, errSourceIP
	}
	return clean, nil
}

// subtract returns the names that are not in others.
func subtract(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}
