// Package signing signs introspection (RFC 9701), publishes the keys that verify the
// signatures (RFC 7517), and rotates them. It signs with ECDSA on P-256 (ES256) and
// verifies nothing. The standard library is enough for that: no JOSE library is needed
// to write a header that never changes.
//
// All replicas share one record of keys (store.SigningKeys), which the first request
// for a key makes. A key is published before it signs, and stays published after
// another one signs. Service keeps two promises:
//
//  1. No replica signs with a key that another replica does not publish. A key is
//     published by one change of the record, and signs since a later one. Every
//     replica has applied the first before the second begins (registry.Registry).
//  2. An older store brings no key back. The feed holds the newest form of the record,
//     and server/rollback writes that back. If nobody knows what the store lost, all
//     keys are replaced by a new one.
package signing
