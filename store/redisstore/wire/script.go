package wire

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Script is a Lua script that touches one key.
type Script struct {
	source string
	hash   string
	// full is the script for a Redis that may be full; nil: there is none.
	full *Script
}

// NewScript returns the script of the source.
func NewScript(source string) Script {
	return Script{source: source, hash: redis.NewScript(source).Hash()}
}

// NewEnding returns the script of the source, for what ends or changes things: it
// also runs on a Redis that is full, if that is version 7 or later. An older one
// does not know how a script asks for that.
func NewEnding(source string) Script {
	s, full := NewScript(source), NewScript("#!lua flags=allow-oom\n"+strings.TrimPrefix(source, "\n"))
	s.full = &full
	return s
}

// notKnown is what a Redis before version 7 replies to the first line of a script
// that asks to run when it is full.
const notKnown = "ERR Error compiling script"

// oldFor is how long Redis counts as older than version 7 after such a reply.
// One node may be older than the others, or be replaced by a newer one.
const oldFor = time.Minute

var begun = time.Now()

// allowsFull reports whether to try the script for a Redis that may be full.
func (c *Client) allowsFull() bool {
	until := c.oldUntil.Load()
	return until == 0 || int64(time.Since(begun)) >= until
}

func (c *Client) sawOld() { c.oldUntil.Store(int64(time.Since(begun) + oldFor)) }

// Command returns the command that runs the script by its source. It is for
// pipelines, which have no second try if Redis does not know the hash.
func (s Script) Command(ctx context.Context, key string, args ...any) *redis.Cmd {
	return s.call(ctx, "eval", s.source, key, args)
}

func (s Script) call(ctx context.Context, name, what, key string, args []any) *redis.Cmd {
	return redis.NewCmd(ctx, append([]any{name, what, 1, key}, args...)...)
}

// Run runs the script on the key, at most once. The command that it returns
// holds the error.
func (c *Client) Run(ctx context.Context, s Script, key string, args ...any) *redis.Cmd {
	if s.full != nil && c.allowsFull() {
		cmd := c.run(ctx, *s.full, key, args)
		if !hasCode(cmd.Err(), notKnown) {
			return cmd
		}
		c.sawOld()
	}
	return c.run(ctx, s, key, args)
}

func (c *Client) run(ctx context.Context, s Script, key string, args []any) *redis.Cmd {
	cmd := s.call(ctx, "evalsha", s.hash, key, args)
	if err := c.Process(ctx, cmd); hasCode(err, "NOSCRIPT") {
		// Redis was restarted or failed over since, and has lost the source.
		cmd = s.Command(ctx, key, args...)
		_ = c.Process(ctx, cmd) // cmd keeps its error
	}
	return cmd
}

// RunAcked is Run for a write that must reach replicas, as SendAcked has it. If
// it needs none, it is Run. WAIT follows on the same connection, in the same
// round trip.
func (c *Client) RunAcked(ctx context.Context, need Ack, s Script, key string, args ...any) *redis.Cmd {
	if need.Replicas == 0 {
		return c.Run(ctx, s, key, args...)
	}
	if s.full != nil && c.allowsFull() {
		cmd := c.runAcked(ctx, need, *s.full, key, args)
		if !hasCode(cmd.Err(), notKnown) {
			return cmd
		}
		c.sawOld()
	}
	return c.runAcked(ctx, need, s, key, args)
}

func (c *Client) runAcked(ctx context.Context, need Ack, s Script, key string, args []any) *redis.Cmd {
	cmd := s.Command(ctx, key, args...)
	if err := c.SendAcked(ctx, key, need, cmd); err != nil && cmd.Err() == nil {
		cmd.SetErr(err)
	}
	return cmd
}
