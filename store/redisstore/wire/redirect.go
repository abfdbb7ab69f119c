package wire

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// redirects is how many redirects one operation follows: as many as a
	// ClusterClient does.
	redirects = 3
	// tryAgainAfter is the pause before a command for a moving slot is sent
	// again.
	tryAgainAfter = 20 * time.Millisecond
)

// OnMaster calls run to send a pipeline to the master that holds the key. If
// the slot is elsewhere or moving (MOVED, ASK, TRYAGAIN), it calls run again
// with the right node. A ClusterClient follows redirects of the commands that
// it sends, but not of a pipeline to one node.
//
// run returns the error of its commands on the key. If asking is set, it puts
// ASKING before each of them, see [Ask]. A redirected command has not run, so
// it is safe to send it again.
func (c *Client) OnMaster(ctx context.Context, key string, run func(node *redis.Client, asking bool) error) error {
	node, err := c.node(ctx, key)
	if err != nil {
		return err
	}
	err = run(node, false)
	cluster, ok := c.UniversalClient.(*redis.ClusterClient)
	if !ok {
		return err
	}
	asking := false
	for range redirects {
		switch {
		case hasCode(err, "MOVED", "ASK"):
			asking = hasCode(err, "ASK")
			if node, err = c.redirected(ctx, cluster, key, err); err != nil {
				return err
			}
		case hasCode(err, "TRYAGAIN"):
			if !sleep(ctx, tryAgainAfter) {
				return err
			}
		default:
			remap(ctx, cluster, err)
			return err
		}
		err = run(node, asking)
	}
	return err
}

// Ask puts ASKING before the next command of the pipeline if asking is set.
func Ask(ctx context.Context, pipe redis.Pipeliner, asking bool) redis.Pipeliner {
	if asking {
		_ = pipe.Process(ctx, redis.NewStatusCmd(ctx, "asking"))
	}
	return pipe
}

// redirected returns a client of the node that a MOVED or an ASK names. It
// reads the Cluster's map to find the node. If the map does not have it, the
// master that the map names for the key is the next guess.
func (c *Client) redirected(ctx context.Context, cluster *redis.ClusterClient, key string, err error) (*redis.Client, error) {
	words := strings.Fields(err.Error()) // MOVED slot host:port
	found, err := c.masters.find(ctx, cluster, words[len(words)-1])
	if found != nil || err != nil {
		return found, err
	}
	return cluster.MasterForKey(ctx, key)
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
