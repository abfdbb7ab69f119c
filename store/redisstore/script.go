package redisstore

import (
	"context"

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

func (sc script) call(ctx context.Context, name, what, key string, args []any) once {
	return once{redis.NewCmd(ctx, append([]any{name, what, 1, key}, args...)...)}
}
