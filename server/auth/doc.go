// Package auth makes and checks credentials: client secrets and their hashes,
// client authentication (RFC 6749 §2.3), and the cache of client records that
// it rests on. It does not know tokens, routes or rendering; it answers
// apierr.InvalidClient alike for unknown, deactivated and wrong.
package auth
