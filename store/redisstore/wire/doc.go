// Package wire brings a command to the Redis master that holds its key, and
// says what it means if that fails. Package redisstore knows what a record is;
// this package does not.
//
// Its promise:
//
//   - A write is sent at most once. A lost reply is never repeated by go-redis
//     or by this package. Only [Retry] repeats, and only what its caller
//     declares harmless.
//   - A failure says whether the command may have run. An error that
//     [StoreError] turns into store.ErrUnavailable leaves the outcome of a
//     write unknown. Every other error is a refusal by Redis.
//   - A redirect (MOVED, ASK, TRYAGAIN) means that the command has not run, so
//     it is followed, for pipelines too.
//   - Every command touches one key, so every command has one master.
//   - A command whose caller has left is not sent. A caller never waits longer
//     than its context, and never for the round trips of others.
//   - A write through [Client.SendAcked] or [Client.RunAcked] succeeds only
//     after the given number of replicas have it. The error [Unacked] says that
//     the master has it and too few replicas do.
//
// Commands that are sent at the same time share round trips (batch.go). The
// package also owns the connections and their settings (options.go).
package wire
