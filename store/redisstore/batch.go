package redisstore

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// maxFlights is how many round trips of one lane are under way at once. A
	// further one begins when a crowd waits: so commands share round trips
	// under load, and none waits for longer than one.
	maxFlights     = 2
	secondFlightAt = 8
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
	node   *redis.Client
	onTrip func(commands int)

	mu      sync.Mutex
	waiting []*call
	room    []*call // empty, for the next that wait
	flights int
}

// call is a command on its way. Who waits for it may leave: then the call
// belongs to its flight, and nobody looks at the command any more.
type call struct {
	ctx    context.Context
	cmd    redis.Cmder
	then   redis.Cmder // goes right behind cmd; nil: nothing does
	asking bool        // ASKING goes before each
	err    error
	done   chan struct{}
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// send queues a command, and another one that goes right behind it, unless
// that is nil. The call is to be waited for.
func (b *batcher) send(ctx context.Context, cmd, then redis.Cmder, asking bool) *call {
	c := calls.Get().(*call)
	c.ctx, c.cmd, c.then, c.asking, c.err = ctx, cmd, then, asking, nil
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	start := b.flights == 0 || b.flights < maxFlights && len(b.waiting) >= secondFlightAt
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
		c.ctx, c.cmd, c.then = nil, nil, nil
		calls.Put(c)
		return err
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// fly makes round trips until nobody waits.
func (b *batcher) fly() {
	var batch []*call
	for {
		// Those whom a round trip has answered are about to come back: let
		// them, or every other one would carry half of what it could.
		runtime.Gosched()
		if batch = b.next(batch); batch == nil {
			return
		}
		b.onTrip(len(batch))
		b.trip(batch)
		clear(batch)
	}
}

// next answers the calls of the next round trip, and takes the room of those
// of the last one for those that come. They are all that wait: where Redis
// hangs, each learns it from the first time-out. It answers nil, and the
// flight has ended, if nobody waits.
func (b *batcher) next(last []*call) []*call {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(last) > cap(b.room) {
		b.room = last[:0]
	}
	batch := b.waiting
	if len(batch) == 0 {
		b.flights--
		return nil
	}
	b.waiting, b.room = b.room, nil
	return batch
}

// trip is one round trip. It is bounded by the client's time-outs, not by the
// contexts of those who wait; a command whose caller has left is not sent.
func (b *batcher) trip(batch []*call) {
	ctx := context.Background()
	if len(batch) == 1 && batch[0].then == nil && !batch[0].asking {
		if c := batch[0]; c.ctx.Err() == nil {
			_ = b.node.Process(ctx, c.cmd) // alone it needs no pipeline
		}
	} else {
		pipe := b.node.Pipeline()
		for _, c := range batch {
			if c.ctx.Err() == nil {
				_ = asked(ctx, pipe, c.asking).Process(ctx, c.cmd)
				if c.then != nil {
					_ = asked(ctx, pipe, c.asking).Process(ctx, c.then)
				}
			}
		}
		cmds, err := pipe.Exec(ctx)
		stamp(cmds, err)
	}
	for _, c := range batch {
		// A command keeps its own error. One that was not sent has none, but
		// its context has ended.
		c.err = c.cmd.Err()
		if c.then != nil {
			c.err = cmp.Or(c.err, c.then.Err())
		}
		c.err = cmp.Or(c.err, c.ctx.Err())
		c.done <- struct{}{}
	}
}

// stamp gives the commands the error of their round trip if none has one of
// its own. go-redis does so but for what Redis itself answers while a
// connection is made (LOADING, NOAUTH): the commands would look answered.
func stamp(cmds []redis.Cmder, err error) {
	if err == nil || slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Err() != nil }) {
		return
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
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
	l = &lanes{reads: batcher{node: node, onTrip: s.onTrip}, writes: batcher{node: node, onTrip: s.onTrip}}
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
		return s.lane(node, cmd).send(ctx, cmd, nil, asking).wait()
	})
}

// pair is two commands on one key.
type pair struct {
	key       string
	cmd, then redis.Cmder
}

// doPairs is do for several pairs at once. It answers an error, or nil, for
// each.
func (s *Store) doPairs(ctx context.Context, pairs []pair) []error {
	sent, errs := make([]*call, len(pairs)), make([]error, len(pairs))
	for i, p := range pairs {
		var node *redis.Client
		if node, errs[i] = s.node(ctx, p.key); errs[i] == nil {
			sent[i] = s.lane(node, p.cmd).send(ctx, p.cmd, p.then, false)
		}
	}
	for i, c := range sent {
		if c == nil {
			continue
		}
		p := pairs[i]
		switch errs[i] = c.wait(); {
		case !hasCode(errs[i], "MOVED", "ASK", "TRYAGAIN"):
			s.remap(ctx, errs[i])
		case hasCode(p.cmd.Err(), "MOVED", "ASK", "TRYAGAIN"): // nothing has run
			errs[i] = s.onMaster(ctx, p.key, func(node *redis.Client, asking bool) error {
				return s.lane(node, p.cmd).send(ctx, p.cmd, p.then, asking).wait()
			})
		default: // the slot went between the two
			errs[i] = s.do(ctx, p.key, p.then)
		}
	}
	return errs
}
