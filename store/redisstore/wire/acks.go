package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Ack is how many replicas must acknowledge a write.
type Ack struct {
	Replicas int  // 0: the write needs none
	NoWait   bool // a write that replicas do not have at once is Unacked
}

// Unacked is the error of a write that its master has and that too few replicas
// acknowledged in time. It is in force. A failover now may lose it.
type Unacked struct {
	At Place // the write is at or before it
}

func (*Unacked) Error() string {
	return "written, but not acknowledged by as many replicas as store.redis.replica_acks asks for"
}

// errUnknown: the master had the write, but does not respond anymore.
var errUnknown = errors.New("written, but it is unknown whether a replica has it")

// SendAcked runs the command on the master that holds the key. It returns an
// error unless the given number of replicas have the write within
// Options.AckTimeout. If the number is 0, it is Send.
//
// Errors: *Unacked if the command succeeded and too few replicas have it.
func (c *Client) SendAcked(ctx context.Context, key string, need Ack, cmd redis.Cmder) error {
	if need.Replicas == 0 {
		return c.Send(ctx, key, cmd)
	}
	var wait *redis.IntCmd
	var master *redis.Client
	err := c.OnMaster(ctx, key, func(node *redis.Client, asking bool) error {
		cmd.SetErr(nil) // clears the error of an earlier node
		master = node
		pipe := node.Pipeline()
		_ = Ask(ctx, pipe, asking).Process(ctx, cmd)
		wait = redis.NewIntCmd(ctx, "wait", need.Replicas, c.ackTimeout.Milliseconds())
		if !need.NoWait {
			_ = pipe.Process(ctx, wait)
		}
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		return cmd.Err()
	})
	switch {
	case err != nil:
		return err
	case wait.Err() != nil:
		return fmt.Errorf("%w: %w", errUnknown, wait.Err())
	case wait.Val() >= int64(need.Replicas):
		return nil
	}
	state, err := ReadReplication(ctx, master)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errUnknown, err)
	case state.Has(state.Place, need.Replicas):
		return nil
	}
	return &Unacked{At: state.Place}
}
