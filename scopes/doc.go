// Package scopes defines scopes: the grammar of RFC 6749 §3.3, the catalog of
// the scopes of a deployment, which of them a request is granted, and the
// endpoints that a token may be restricted to. It does not know clients, tokens
// or HTTP handlers.
package scopes
