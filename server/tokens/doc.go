// Package tokens mints, finds, revokes and explains access tokens: their
// form and keyed check, the cache, the feed's verdict, and what a resource
// server may see of one. It is the only importer of go-oauth2. It does not
// authenticate clients and does not know HTTP.
package tokens
