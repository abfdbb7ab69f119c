package wire

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// maxLanes bounds how many lanes are kept: a Cluster may have lost their nodes.
const maxLanes = 64

// lanes are the batchers of one node. Reads have a separate one: go-redis
// closes the connection to a node that is no longer a master when the first
// command of a pipeline is refused as READONLY, but that node still serves
// reads.
type lanes struct{ reads, writes batcher }

// lanesOf returns the lanes of a node.
func (c *Client) lanesOf(node *redis.Client) *lanes {
	c.lanesMu.RLock()
	l, ok := c.lanes[node]
	c.lanesMu.RUnlock()
	if ok {
		return l
	}
	c.lanesMu.Lock()
	defer c.lanesMu.Unlock()
	if l, ok := c.lanes[node]; ok {
		return l
	}
	if len(c.lanes) >= maxLanes {
		clear(c.lanes) // round trips that are under way end without it
	}
	l = &lanes{reads: batcher{node: node, onTrip: c.onTrip}, writes: batcher{node: node, onTrip: c.onTrip}}
	c.lanes[node] = l
	return l
}

var readCommands = []string{"get", "hget"}

// lane returns the batcher that the command goes with.
func (c *Client) lane(node *redis.Client, cmd redis.Cmder) *batcher {
	l := c.lanesOf(node)
	if slices.Contains(readCommands, cmd.Name()) {
		return &l.reads
	}
	return &l.writes
}

// Send runs a command on the key at its master, in a round trip that it shares
// with other commands to that node. It never repeats the command. If the error
// is that of ctx, the caller must not read the command.
func (c *Client) Send(ctx context.Context, key string, cmd redis.Cmder) error {
	return c.OnMaster(ctx, key, func(node *redis.Client, asking bool) error {
		return c.lane(node, cmd).send(ctx, cmd, nil, asking).wait()
	})
}

// Pair is two commands on one key; Then goes right behind Cmd.
type Pair struct {
	Key       string
	Cmd, Then redis.Cmder
}

// SendPairs is Send for several pairs at once. It returns an error, or nil,
// for each pair.
func (c *Client) SendPairs(ctx context.Context, pairs []Pair) []error {
	sent, errs := make([]*call, len(pairs)), make([]error, len(pairs))
	for i, p := range pairs {
		var node *redis.Client
		if node, errs[i] = c.node(ctx, p.Key); errs[i] == nil {
			sent[i] = c.lane(node, p.Cmd).send(ctx, p.Cmd, p.Then, false)
		}
	}
	for i, call := range sent {
		if call == nil {
			continue
		}
		p := pairs[i]
		switch errs[i] = call.wait(); {
		case !hasCode(errs[i], "MOVED", "ASK", "TRYAGAIN"):
			c.remap(ctx, errs[i])
		case hasCode(p.Cmd.Err(), "MOVED", "ASK", "TRYAGAIN"): // nothing has run
			errs[i] = c.OnMaster(ctx, p.Key, func(node *redis.Client, asking bool) error {
				return c.lane(node, p.Cmd).send(ctx, p.Cmd, p.Then, asking).wait()
			})
		default: // the slot moved between the two
			errs[i] = c.Send(ctx, p.Key, p.Then)
		}
	}
	return errs
}
