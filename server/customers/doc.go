// Package customers holds the rules of customers and of their tokens (contract
// §3, seeds/001): who may have one, for which scopes a code is needed, and how
// the code is sent, tried and used. Rules are in the Service and in Tokens,
// which know no HTTP; handlers translate.
//
// It does not know how messages travel (server/senders) or what a token looks
// like (server/tokens).
package customers
