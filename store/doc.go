// Package store is the vocabulary of what grantd keeps: the record types,
// one small role interface for each kind of record, the errors every
// implementation answers with, and the binary form of a token record.
//
// It does not talk to a database: redisstore and embedded do, and both pass
// the one contract suite in storetest. It does not know HTTP, OAuth errors
// or configuration. A store never sees a token or a secret in plain text,
// only their digests (contract §2).
//
// Times are UTC. Every method takes the caller's context and honours its
// deadline; a method that cannot reach the data answers an error that wraps
// ErrUnavailable, and the outcome of a write that answered it is unknown:
// the caller may repeat it, all writes here are safe to repeat.
package store
