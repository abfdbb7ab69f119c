// Package rollback keeps what has ended ended when the store comes back older:
// restored from a backup, rolled back, or failed over to a replica that lacks the
// newest writes.
//
// The feed (server/feed) says in which version a change left each record. Guard
// wraps the store, so that nobody reads a record that is older than the feed
// knows: such a record is written back as the feed holds it, deleted, or, if
// nobody knows its newest state, held back. Repair does the same for all records
// that a running replica knows when the feed finds that the store lost entries.
//
// If more may be lost than a running grantd knows, or none was running, Repair
// puts a store.Hold: every record that was made before is held back, until an
// operator releases it (server/doctor).
package rollback
