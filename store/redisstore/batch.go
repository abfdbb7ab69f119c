package redisstore

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// maxBatch is how many commands share a round trip at most.
	maxBatch = 512
	// maxFlights is how many round trips of one lane are under way at once.
	maxFlights = 2
	// maxLanes bounds what is kept of nodes that a Cluster no longer has.
	maxLanes = 64
)

// batcher has commands that are sent at the same time share round trips:
// what has come in while one is under way goes with the next. There is no
// timer, so a command that is alone does not wait. go-redis' own AutoPipeline
// runs commands whose caller has gone, and forgets their deadlines.
//
// It has one goroutine for each round trip that is under way, and none at
// rest.
type batcher struct {
	node *redis.Client

	mu      sync.Mutex
	waiting []*call
	flights int
}

// call is a command on its way. Who waits for it may leave: then the call
// belongs to its flight, and nobody looks at the command any more.
type call struct {
	ctx    context.Context
	cmd    redis.Cmder
	asking bool // ASKING goes before it
	err    error
	done   chan struct{}
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// send queues the command; its call is to be waited for.
func (b *batcher) send(ctx context.Context, cmd redis.Cmder, asking bool) *call {
	c := calls.Get().(*call)
	c.ctx, c.cmd, c.asking, c.err = ctx, cmd, asking, nil
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	start := b.flights < maxFlights
	if start {
		b.flights++
	}
	b.mu.Unlock()
	if start {
		go b.fly()
	}
	return c
}

// wait answers the command's own error, or that of its context if that ends
// before: then the outcome is not known.
func (c *call) wait() error {
	select {
	case <-c.done:
		err := c.err
		c.ctx, c.cmd = nil, nil
		calls.Put(c)
		return err
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// fly makes round trips until nobody waits.
func (b *batcher) fly() {
	// Those whom the last round trip has answered are about to come back:
	// let them, or every other one would carry a single command.
	runtime.Gosched()
	var spare []*call
	for {
		b.mu.Lock()
		batch := b.waiting
		if len(batch) == 0 {
			b.flights--
			b.mu.Unlock()
			return
		}
		b.waiting = spare
		if len(batch) > maxBatch {
			b.waiting = append(b.waiting, batch[maxBatch:]...)
			batch = batch[:maxBatch]
		}
		b.mu.Unlock()
		b.trip(batch)
		clear(batch)
		spare = batch[:0]
	}
}

// trip is one round trip. It is bounded by the client's time-outs, not by the
// contexts of those who wait; a command whose caller has left is not sent.
func (b *batcher) trip(batch []*call) {
	ctx := context.Background()
	pipe := b.node.Pipeline()
	for _, c := range batch {
		if c.err = c.ctx.Err(); c.err == nil {
			_ = asked(ctx, pipe, c.asking).Process(ctx, c.cmd)
		}
	}
	if pipe.Len() == 1 {
		// Alone it needs no pipeline.
		for _, c := range batch {
			if c.err == nil {
				_ = b.node.Process(ctx, c.cmd)
			}
		}
	} else {
		_, _ = pipe.Exec(ctx) // each command keeps its own error
	}
	for _, c := range batch {
		if c.err == nil {
			c.err = c.cmd.Err()
		}
		c.done <- struct{}{}
	}
}

// lanes are the batchers of one node. Reads have their own: go-redis closes a
// connection to a node that is no longer a master when the first command of a
// pipeline is refused as READONLY, and that node answers reads.
type lanes struct{ reads, writes batcher }

// lanesOf answers the lanes of a node.
func (s *Store) lanesOf(node *redis.Client) *lanes {
	s.lanesMu.RLock()
	l, ok := s.lanes[node]
	s.lanesMu.RUnlock()
	if ok {
		return l
	}
	s.lanesMu.Lock()
	defer s.lanesMu.Unlock()
	if l, ok := s.lanes[node]; ok {
		return l
	}
	if len(s.lanes) >= maxLanes {
		clear(s.lanes) // what is under way comes to its end without it
	}
	l = &lanes{reads: batcher{node: node}, writes: batcher{node: node}}
	s.lanes[node] = l
	return l
}

var readCommands = []string{"get", "hget"}

// lane answers the batcher that the command goes with.
func (s *Store) lane(node *redis.Client, cmd redis.Cmder) *batcher {
	l := s.lanesOf(node)
	if slices.Contains(readCommands, cmd.Name()) {
		return &l.reads
	}
	return &l.writes
}

// do runs a command on the key at its master, sharing a round trip with what
// else is sent there. It is never repeated. The command is not to be looked at
// if the error is that of ctx.
func (s *Store) do(ctx context.Context, key string, cmd redis.Cmder) error {
	return s.onMaster(ctx, key, func(node *redis.Client, asking bool) error {
		return s.lane(node, cmd).send(ctx, cmd, asking).wait()
	})
}

// doAll is do for several commands at once, each on its own key. It answers
// an error, or nil, for each.
func (s *Store) doAll(ctx context.Context, keys []string, cmds []redis.Cmder) []error {
	sent, errs := make([]*call, len(cmds)), make([]error, len(cmds))
	for i, cmd := range cmds {
		var node *redis.Client
		if node, errs[i] = s.node(ctx, keys[i]); errs[i] == nil {
			sent[i] = s.lane(node, cmd).send(ctx, cmd, false)
		}
	}
	for i, c := range sent {
		if c == nil {
			continue
		}
		errs[i] = c.wait()
		if hasCode(errs[i], "MOVED", "ASK", "TRYAGAIN") {
			errs[i] = s.do(ctx, keys[i], cmds[i]) // it has not run
		}
	}
	return errs
}
