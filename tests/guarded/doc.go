// Package guarded runs resource servers that cache: a Go API behind scopes/guard, and
// `grantd edge`. They ask replicas of the whole program, on a real Redis, while tokens
// are ended and connections, replicas and Redis break.
//
// A ledger holds when each end was acknowledged, and compares each response with it:
//
//   - A request that is sent more than bound (cache.max_staleness) after the
//     acknowledgement of an end never gets what the token allowed. The acknowledgement
//     is timed when it has arrived and the request before it is sent, so that neither
//     needs room for errors of the measurement or for a busy machine.
//   - A token whose end nobody has asked for is never refused, except with 503 and
//     Retry-After.
//
// tests/chaos checks that nothing acknowledged is lost; this package does not.
package guarded
