package importer

import (
	"errors"
	"fmt"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/credential"
)

// ClientFormats are the names of the formats of clients, for Clients.
var ClientFormats = []string{"jsonl", "doorkeeper", "hydra"}

// Clients returns the format of clients with the name; ok is false if there is none.
func Clients(name string) (kind Kind[clients.ImportLine], ok bool) {
	kind = Kind[clients.ImportLine]{Noun: "client", ID: func(c clients.ImportLine) string { return c.ClientID }}
	switch name {
	case "jsonl":
		kind.Key, kind.Parse = "client_id", parseClient
	case "doorkeeper":
		kind.Key, kind.Parse = "uid", parseDoorkeeper
		kind.Members = map[string]string{
			"client_id": "uid", "scope": "scopes", "default_scope": "default_scopes", "token_ttl": "expires_in", "secret_hash": "secret",
		}
	case "hydra":
		kind.Key, kind.Parse = "id", parseHydra
		kind.Members = map[string]string{
			"client_id": "id", "name": "client_name", "secret_hash": "client_secret", "resources": "audience",
			"auth_methods": "token_endpoint_auth_method", "token_ttl": "client_credentials_grant_access_token_lifespan",
		}
	default:
		return kind, false
	}
	return kind, true
}

// Notes on lines that are right.
const (
	noteBcrypt   = "bcrypt reads only 72 bytes of a secret, so a longer secret is refused: such a client needs a new one"
	noteSHA256   = "SHA-256 protects only random secrets, so these secrets count as weak until they are rotated"
	noteRedirect = "redirect URIs are ignored: grantd has no flow with a browser"
	noteGrants   = "grant types other than client_credentials are ignored"
	noteAudience = "audience becomes resources: a token is for all of them, unless its request names some"
	noteJWT      = "its access tokens were JWTs, and grantd's are opaque: resource servers must introspect them"
)

// parseClient reads one line of the format jsonl: the members of the admin API, with
// exact names, each at most once, and nothing after the object. The server checks
// the values. No error contains a value: it may be a secret.
func parseClient(line []byte) (c clients.ImportLine, notes []string, err error) {
	if err := checkLine(line); err != nil {
		return c, nil, err
	}
	err = readObject(line, map[string]any{
		"client_id": &c.ClientID, "org_id": &c.OrgID, "name": &c.Name, "scope": &c.Scope, "default_scope": &c.DefaultScope,
		"token_ttl": &c.TokenTTL, "issue_limit": &c.IssueLimit, "auth_methods": &c.AuthMethods, "source_ips": &c.SourceIPs, "bind_source_ip": &c.BindSourceIP, "resources": &c.Resources,
		"token_uses": &c.TokenUses, "enforces": &c.Enforces, "resource": &c.Resource,
		"secret_hash": &c.SecretHash, "secret_hashes": &c.SecretHashes,
	}, "client_id")
	switch {
	case err != nil:
		return c, nil, err
	case c.SecretHash == "" && c.SecretHashes == nil:
		return c, nil, errors.New("is missing (secret_hash): a client that is imported keeps its secret")
	case c.SecretHash != "":
		notes, err = checkHash("secret_hash", c.SecretHash)
		return c, notes, err
	}
	for _, hash := range c.SecretHashes {
		more, err := checkHash("secret_hashes", hash)
		if err != nil {
			return c, nil, err
		}
		notes = append(notes, more...)
	}
	return c, notes, nil
}

// checkHash returns what is wrong with a hash, or what to know of it.
func checkHash(member, hash string) (notes []string, err error) {
	kept, err := credential.ParseImported(hash)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w (%s)", err, member)
	case credential.IsBcrypt(kept):
		return []string{noteBcrypt}, nil
	case credential.IsSHA256(kept):
		return []string{noteSHA256}, nil
	}
	return nil, nil
}
