// Package store is the vocabulary of what grantd keeps: the record types,
// one small role interface for each kind of record, the errors that every
// implementation returns, and the stored forms of the records. Intercept puts a
// hook around the operations of any store.
//
// It does not talk to a database: redisstore and embedded do, and both pass
// the same contract suite in storetest. It does not know HTTP, OAuth errors
// or configuration. A store never sees a token or a secret in plain text,
// only their digests.
//
// Times are UTC. Every method takes the caller's context and honors its
// deadline. A method that cannot reach the data returns an error that wraps
// ErrUnavailable. After a write, that error means that the outcome is unknown.
// The caller may repeat the write: all writes here are safe to repeat.
package store
