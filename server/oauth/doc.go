// Package oauth is the protocol: the token (RFC 6749 §4.4), introspection
// (RFC 7662), revocation (RFC 7009) and metadata (RFC 8414) endpoints. It
// reads requests and writes responses; auth decides who calls, tokens what
// lives.
package oauth
