// Package auth authenticates clients (RFC 6749 §2.3): it reads the credentials
// of a request and checks them against the client's record. It does not know
// tokens, routes or rendering. It returns the same apierr.InvalidClient for an
// unknown client, a deactivated one and a wrong secret.
package auth
