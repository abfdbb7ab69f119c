// Package credential knows the form of every credential and token of grantd:
// what each begins with, how one is made, how its id is read, what is kept of
// it, and how a hash is matched. It does not know whose a credential is or
// whether it is live: server/auth and server/tokens do. The keyed check inside
// a token is in server/tokens.
package credential
