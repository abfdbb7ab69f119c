package importer

import (
	"errors"
	"slices"
	"strings"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/credential"
)

// application is a row of Doorkeeper's table oauth_applications, with the settings
// that its meaning depends on: see MOVING.md.
type application struct {
	uid, secret, name, scopes, redirectURI string
	confidential                           truth
	strategy                               string // of secrets, such as Doorkeeper::SecretStoring::Plain
	defaultScopes                          string // of the whole server
	expiresIn                              int64  // seconds; 0: not known
}

var (
	errPublic       = errors.New("is a public client (confidential): grantd has only clients with a secret")
	errNoScopes     = errors.New("is missing (scopes): Doorkeeper gives such an application every scope, and grantd none. Write into the line which ones it may have")
	errNoStrategy   = errors.New("is 64 hex digits (secret), which may be the secret or its SHA-256: add secret_strategy to the line, plain or sha256")
	errStrategy     = errors.New("must be plain, sha256 or bcrypt, or the name of Doorkeeper's class for it (secret_strategy)")
	errNotAsStored  = errors.New("is not stored as secret_strategy says (secret): if it is still in plain text, write plain as the secret_strategy of this line")
	errPlainSecret  = errors.New("is a secret in plain text that may not be random (secret): it must have 32 to 1024 of A-Z a-z 0-9 - _. Hash it slowly and import it with --from jsonl, or give the client a new one")
	errHashNotPlain = errors.New("is a hash and not a secret in plain text, as secret_strategy says (secret)")
)

// parseDoorkeeper reads one application. Secrets in plain text are hashed here.
func parseDoorkeeper(line []byte) (c clients.ImportLine, notes []string, err error) {
	if err := checkLine(line); err != nil {
		return c, nil, err
	}
	a := application{confidential: true}
	err = readRow(line, map[string]any{
		"uid": &a.uid, "secret": &a.secret, "name": &a.name, "scopes": &a.scopes, "redirect_uri": &a.redirectURI,
		"confidential": &a.confidential, "secret_strategy": &a.strategy, "default_scopes": &a.defaultScopes, "expires_in": &a.expiresIn,
	}, "uid")
	switch {
	case err != nil:
		return c, nil, err
	case !bool(a.confidential):
		return c, nil, errPublic
	case a.secret == "":
		return c, nil, errors.New("is missing (secret)")
	case strings.TrimSpace(a.scopes) == "":
		return c, nil, errNoScopes
	}
	if c.SecretHash, err = a.hash(); err != nil {
		return c, nil, err
	}
	if notes, err = checkHash("secret", c.SecretHash); err != nil {
		return c, nil, err
	}
	if strings.TrimSpace(a.redirectURI) != "" {
		notes = append(notes, noteRedirect)
	}
	allowed := strings.Fields(a.scopes)
	scope := strings.Join(allowed, " ")
	c.ClientID, c.Name, c.Scope = a.uid, &a.name, &scope
	defaults := slices.DeleteFunc(strings.Fields(a.defaultScopes), func(s string) bool { return !slices.Contains(allowed, s) })
	if len(defaults) > 0 {
		joined := strings.Join(defaults, " ")
		c.DefaultScope = &joined
	}
	if a.expiresIn > 0 {
		c.TokenTTL = &a.expiresIn
	}
	return c, notes, nil
}

// hash returns the hash of the application's secret.
func (a application) hash() (string, error) {
	isHex := len(a.secret) == 64 && strings.Trim(a.secret, "0123456789abcdefABCDEF") == ""
	isBcrypt := strings.HasPrefix(a.secret, "$2")
	strategy := strings.ToLower(a.strategy[strings.LastIndex(a.strategy, ":")+1:])
	switch {
	case strategy == "" && isHex:
		return "", errNoStrategy
	case strategy == "" && isBcrypt, strategy == "bcrypt" && isBcrypt,
		(strategy == "sha256" || strategy == "sha256hash") && isHex:
		return a.secret, nil
	case strategy == "bcrypt", strategy == "sha256", strategy == "sha256hash":
		return "", errNotAsStored
	case strategy != "" && strategy != "plain":
		return "", errStrategy
	case isBcrypt:
		return "", errHashNotPlain
	}
	hash, ok := credential.HashRandom(a.secret)
	if !ok {
		return "", errPlainSecret
	}
	return hash, nil
}
