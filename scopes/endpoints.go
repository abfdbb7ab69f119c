package scopes

import "github.com/grantd/grantd/scopes/endpoints"

// Endpoints restricts where a token may be used. See package endpoints, which a
// resource server can import without the rest of this package.
type Endpoints = endpoints.Set

// ParseEndpoints is endpoints.Parse.
func ParseEndpoints(patterns []string) (Endpoints, error) { return endpoints.Parse(patterns) }
