// Package scopes knows what a scope is: the grammar of RFC 6749 §3.3, the
// catalogue of the names a deployment has (contract §7), and which of them a
// request is granted. It does not know clients, tokens or HTTP.
package scopes
