// Package embedded keeps everything in one bbolt file: the store of a grantd
// that runs on one machine. An acknowledged write is on the disk, and survives
// kill -9 and a loss of power.
//
// One goroutine writes. It takes all queued writes, runs them in one
// transaction and acknowledges them after the sync (group commit, no timer), so
// throughput grows with the number of callers. Reads use bbolt's snapshots and
// never wait.
//
// Keys in ascending order make syncs cheap, so a token's key is the hour that
// it expires in and a sequence number. Only an index in memory knows where each
// token is. It is built when the file is opened. An hour that has passed is
// dropped as a whole.
//
// The feed and the records that it is about are in the same file. The file
// cannot lose the newest entries and keep the records, so its lineage never
// changes. `grantd store restore` makes a new file, with another lineage. A copy of
// the file that is put back by hand cannot be distinguished from the original.
//
// Open checks all pages in use before bbolt reads them (pages.go): bbolt panics on
// damaged ones.
//
// The package does not know configuration, HTTP, or plain tokens and secrets.
package embedded
