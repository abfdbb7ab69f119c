// Package registry keeps one promise: a record that was changed is not used
// from a cache. Registry is the half that changes records, and Cache is the
// half that reads them on the hot paths. The records are those that operators
// manage: clients, orgs, customers, partners, grants. The features decide what
// a record holds, and who may change what in it.
//
// # Protocol
//
// The store holds the records. The feed (server/feed) is one ordered log that
// every replica of grantd follows; an entry names a record by its principal key
// (store.Kind.Principal). An EntryChange says that the record has changed. An
// EntryVoid says so too, and ends the tokens of that principal that carry an
// earlier position.
//
// A change has these steps: read the record, edit it, write it by
// compare-and-set, append to the feed, wait until every replica has applied the
// entry, write the audit event. A read has these: take the feed's mark, look in
// the cache, and, without a valid copy there, read the store.
//
// # Invariants
//
//  1. The record is written before the feed is told. A replica that has
//     applied the entry therefore reads the new record.
//
//  2. A write replaces exactly the record that was read. If the versions
//     differ, the change is tried again on the new record, casTries times in
//     all. Then the caller gets a conflict.
//
//  3. The first version of a record holds the time and a random part, and is
//     greater than that of any earlier record with its id. A change that began on
//     a record that was then deleted never fits a later record with the same id.
//
//  4. A change that must end tokens says so in the record that it writes:
//     Head.Unannounced, and in Head.UnannouncedSince the position that the
//     feed had before the write. The flag is removed only when the feed holds
//     the void. While it is there, every later change appends the void, even
//     one that has nothing else to change.
//
//  5. Cache takes the feed's mark before it reads the store, and keeps both
//     together. A change that was made while it read is an entry after the
//     mark.
//
//  6. A cached record is used until the first of these: an entry after its
//     mark names its principal; the feed has another epoch, because it
//     recovered from a loss; the record was read more than cacheAge ago. If
//     the feed cannot be confirmed within cache.max_staleness, no record is
//     used at all: the error is feed.ErrStale.
//
//  7. A token that is made because of a record carries the position of
//     Lookup.Mark. A change after that mark is a later entry, and a later void
//     ends the token.
//
//  8. Absence is not cached, and nobody is refused because of a cached record:
//     Cache.Reread and Cache.Read read the store first. A secret, an org or a reactivation
//     that another replica has just written works here at once.
//
//  9. A deletion deactivates the record, voids its tokens, removes the record,
//     and voids again. A replica that reads between the first void and the
//     removal gets a record that it must refuse, and the second void drops it.
//     A new record is announced for the same reason: the second void of an
//     earlier record with its id may be missing.
//
//  10. A change that has begun does not end with its caller; it has
//     changeTimeout. Its outcome, error or not, is audited once. A change that
//     found nothing to do is not audited.
//
//  11. The entry of a change holds the record's new version and form, and the
//     entry of a deletion that it is gone. Versions of one id only grow, also
//     from a deleted record to its successor. A store that comes back older is
//     repaired by that (server/rollback).
//
// # What a crash leaves
//
//   - Before the write: nothing.
//   - After the write, before the feed: other replicas use the old record for
//     cacheAge at most. Tokens that should have ended live until the next
//     change of the record, which voids them (4). The caller got no response
//     and repeats the call.
//   - After the feed, before the flag is removed: the next change finds the
//     void in the feed and removes the flag, so that tokens made since then
//     stay valid. If the feed has dropped the entry (store.FeedRetention), it
//     voids once more.
//   - Before all replicas have the entry: they apply it within
//     cache.max_staleness.
//   - Before the audit event: the event is missing.
//   - In a deletion, before the removal: a deactivated record. Repeating the
//     deletion completes it.
//   - In a deletion, after the removal: caches hold the deactivated record for
//     cacheAge at most.
package registry
