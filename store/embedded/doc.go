// Package embedded keeps everything in one bbolt file: the store of a grantd
// that runs on one machine. What was acknowledged is on the disk, and
// survives kill -9 and a loss of power.
//
// One goroutine writes. It takes all writes that wait, runs them in one
// transaction and answers them after the sync (group commit, no timer), so
// throughput grows with the number of callers. Reads are bbolt's own
// snapshots and wait for nobody.
//
// Keys that come in order make syncs cheap, so a token's key is the hour it
// expires in and a sequence number. Where each token lies is known only to
// an index in memory, which is built when the file is opened. An hour that
// has passed is dropped as a whole.
//
// The feed and all it speaks of are in the same file. It cannot lose its
// newest entries and keep the records, so its lineage never changes. A file
// put back from a backup is the exception, and cannot be told from the
// original.
//
// It does not know configuration, HTTP, or plain tokens and secrets.
package embedded
