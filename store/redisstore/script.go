package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// once keeps a ClusterClient from repeating a write after a lost answer; it
// does so for every command that does not say this of itself. MOVED and ASK
// are still followed: there the command has not run.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// script is a Lua script that touches one key.
type script struct {
	source string
	hash   string
}

func newScript(source string) script {
	return script{source: source, hash: redis.NewScript(source).Hash()}
}

// run runs the script on the key, at most once.
func (s *Store) run(ctx context.Context, sc script, key string, args ...any) *redis.Cmd {
	cmd := sc.call(ctx, "evalsha", sc.hash, key, args)
	if err := s.client.Process(ctx, cmd); hasCode(err, "NOSCRIPT") {
		// Redis was restarted or failed over since, and has lost the source.
		cmd = sc.call(ctx, "eval", sc.source, key, args)
		_ = s.client.Process(ctx, cmd) // cmd keeps its error
	}
	return cmd.Cmd
}

// errNotAcked: the master has the write, and too few replicas said so in
// time. A failover now may lose it.
var errNotAcked = errors.New("written, but not acknowledged by as many replicas as store.redis.replica_acks asks for")

// runAcked is run for writes that a failover must not lose: WAIT follows on
// the same connection, in the same round trip.
func (s *Store) runAcked(ctx context.Context, sc script, key string, args ...any) *redis.Cmd {
	if s.acks.Critical == 0 {
		return s.run(ctx, sc, key, args...)
	}
	cmd := sc.call(ctx, "eval", sc.source, key, args)
	if err := s.acked(ctx, key, s.acks.Critical, cmd); err != nil && cmd.Err() == nil {
		cmd.SetErr(err)
	}
	return cmd.Cmd
}

// acked runs the command on the master that holds the key, and answers
// errNotAcked unless n replicas have it within the time-out.
func (s *Store) acked(ctx context.Context, key string, n int, cmd redis.Cmder) error {
	var wait *redis.IntCmd
	err := s.onMaster(ctx, key, func(node *redis.Client, asking bool) error {
		cmd.SetErr(nil) // of an earlier node
		pipe := node.Pipeline()
		_ = asked(ctx, pipe, asking).Process(ctx, cmd)
		wait = redis.NewIntCmd(ctx, "wait", n, s.acks.Timeout.Milliseconds())
		_ = pipe.Process(ctx, wait)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		return cmd.Err()
	})
	switch {
	case err != nil:
		return err
	case wait.Err() != nil:
		return fmt.Errorf("%w: %w", errNotAcked, wait.Err())
	case wait.Val() < int64(n):
		return errNotAcked
	}
	return nil
}

func (sc script) call(ctx context.Context, name, what, key string, args []any) once {
	return once{redis.NewCmd(ctx, append([]any{name, what, 1, key}, args...)...)}
}
