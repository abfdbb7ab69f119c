// Package oauth serves the endpoints of the protocol: token (RFC 6749 §4.4, RFC
// 8693), introspection (RFC 7662), revocation (RFC 7009) and metadata (RFC
// 8414). It reads requests and writes responses. server/auth authenticates
// clients, and server/tokens decides which tokens are active.
package oauth
