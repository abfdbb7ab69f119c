// Package customers holds the rules of customers and of their tokens: who may
// have one, which scopes need a code, and how a code is sent, tried and used.
// The rules are in Service and Tokens, which do not know HTTP; the handlers
// translate. APP_GUIDE.md describes the endpoints of apps, ADMIN_API.md those
// of operators.
//
// The package does not know how messages are sent (server/senders) or what a
// token looks like (server/tokens).
package customers
