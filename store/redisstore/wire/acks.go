package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// errNotAcked: the master has the write, but too few replicas confirmed it in
// time. A failover now may lose it.
var errNotAcked = errors.New("written, but not acknowledged by as many replicas as store.redis.replica_acks asks for")

// SendAcked runs the command on the master that holds the key. It returns an
// error unless the given number of replicas have the write within the timeout.
// If the number is 0, it is Send.
func (c *Client) SendAcked(ctx context.Context, key string, replicas int, cmd redis.Cmder) error {
	if replicas == 0 {
		return c.Send(ctx, key, cmd)
	}
	var wait *redis.IntCmd
	err := c.OnMaster(ctx, key, func(node *redis.Client, asking bool) error {
		cmd.SetErr(nil) // clears the error of an earlier node
		pipe := node.Pipeline()
		_ = Ask(ctx, pipe, asking).Process(ctx, cmd)
		wait = redis.NewIntCmd(ctx, "wait", replicas, c.ackTimeout.Milliseconds())
		_ = pipe.Process(ctx, wait)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		return cmd.Err()
	})
	switch {
	case err != nil:
		return err
	case wait.Err() != nil:
		return fmt.Errorf("%w: %w", errNotAcked, wait.Err())
	case wait.Val() < int64(replicas):
		return errNotAcked
	}
	return nil
}
