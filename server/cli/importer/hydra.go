package importer

import (
	"errors"
	"slices"
	"time"

	"github.com/grantd/grantd/server/clients"
)

// hydraClient is a row of Hydra's table hydra_client: see MOVING.md.
type hydraClient struct {
	id, clientID, secret, name, scope, method, strategy string
	grants, audience, redirects                         textList
	lifespan                                            int64 // nanoseconds; 0: Hydra's default
}

const grantClientCredentials = "client_credentials"

var (
	errHydraPublic = errors.New("is a public client (token_endpoint_auth_method): grantd has only clients with a secret")
	errHydraMethod = errors.New("authenticates by a method that this import does not support (token_endpoint_auth_method): it must be client_secret_basic or client_secret_post")
	errHydraGrant  = errors.New("is not allowed client_credentials (grant_types): grantd has no other grant for it")
	errHydraSecret = errors.New("is missing (client_secret): Hydra's API and 'hydra list clients' leave the hash out. Export the table hydra_client")
)

// parseHydra reads one client.
func parseHydra(line []byte) (c clients.ImportLine, notes []string, err error) {
	if err := checkLine(line); err != nil {
		return c, nil, err
	}
	var h hydraClient
	err = readRow(line, map[string]any{
		"id": &h.id, "client_id": &h.clientID, "client_secret": &h.secret, "client_name": &h.name, "scope": &h.scope,
		"token_endpoint_auth_method": &h.method, "access_token_strategy": &h.strategy,
		"grant_types": &h.grants, "audience": &h.audience, "redirect_uris": &h.redirects,
		"client_credentials_grant_access_token_lifespan": &h.lifespan,
	})
	if h.id == "" {
		h.id = h.clientID
	}
	switch {
	case err != nil:
		return c, nil, err
	case h.id == "":
		return c, nil, errors.New("is missing (id)")
	case h.method == "none":
		return c, nil, errHydraPublic
	case h.method == "":
		h.method = "client_secret_basic" // RFC 7591 §2
	}
	switch {
	case h.method != "client_secret_basic" && h.method != "client_secret_post":
		return c, nil, errHydraMethod
	case !slices.Contains(h.grants, grantClientCredentials):
		return c, nil, errHydraGrant
	case h.secret == "":
		return c, nil, errHydraSecret
	}
	if notes, err = checkHash("client_secret", h.secret); err != nil {
		return c, nil, err
	}
	c.ClientID, c.SecretHash, c.Name, c.Scope, c.AuthMethods = h.id, h.secret, &h.name, &h.scope, &[]string{h.method}
	if len(h.audience) > 0 {
		c.Resources = (*[]string)(&h.audience)
	}
	if seconds := h.lifespan / int64(time.Second); seconds > 0 {
		c.TokenTTL = &seconds
	}
	return c, append(notes, h.notes()...), nil
}

// notes returns what grantd leaves out or does otherwise.
func (h hydraClient) notes() (notes []string) {
	if slices.ContainsFunc(h.grants, func(g string) bool { return g != grantClientCredentials }) {
		notes = append(notes, noteGrants)
	}
	if len(h.redirects) > 0 {
		notes = append(notes, noteRedirect)
	}
	if len(h.audience) > 0 {
		notes = append(notes, noteAudience)
	}
	if h.strategy == "jwt" {
		notes = append(notes, noteJWT)
	}
	return notes
}
