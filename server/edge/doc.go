// Package edge is 'grantd edge': a small process beside an API. It introspects tokens
// from a cache that follows revocations, decides for a gateway, and gets tokens for
// clients. The cache is scopes/guard; the rules for gateways are in server/gateway.
// This package makes the parts, authenticates callers, and opens the listeners. It never
// guesses: without its server it responds with 503. EDGE.md is the guide.
package edge
