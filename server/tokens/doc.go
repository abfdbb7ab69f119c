// Package tokens mints, finds, revokes and explains access tokens. It contains
// the keyed check inside a token, the cache of tokens, the check against the
// feed, and the rules for what a resource server may see. It is the only
// importer of go-oauth2. It does not authenticate clients and does not know
// HTTP.
package tokens
