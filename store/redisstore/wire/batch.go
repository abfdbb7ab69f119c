package wire

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	// maxFlights is how many round trips of one lane may be under way at once.
	// A second round trip starts once secondFlightAt commands are queued. So
	// commands share round trips under load, and none waits for longer than
	// one round trip.
	maxFlights     = 2
	secondFlightAt = 8
)

// batcher makes commands that are sent at the same time share round trips:
// the commands that arrive during one round trip go with the next. There is no
// timer, so a single command does not wait. go-redis' own AutoPipeline runs
// commands whose caller has left, and forgets their deadlines.
//
// A batcher has one goroutine for each round trip that is under way, and none
// when it is idle.
type batcher struct {
	node   *redis.Client
	onTrip func(commands int)

	mu      sync.Mutex
	waiting []*call
	spare   []*call // empty; its memory is used for the next calls that wait
	flights int
}

// call is a queued command. Its caller may leave: then the call belongs to its
// flight, and nobody reads the command anymore.
type call struct {
	ctx    context.Context
	cmd    redis.Cmder
	then   redis.Cmder // sent right behind cmd; nil: nothing is
	asking bool        // ASKING goes before each
	err    error
	done   chan struct{}
}

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// send queues cmd, and then right behind it unless that is nil. The caller
// must wait for the call.
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

// wait returns the error of the command, or that of its context if that ends
// first: then the outcome is unknown.
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

// fly makes round trips until no call waits.
func (b *batcher) fly() {
	var batch []*call
	for {
		// The callers that the last round trip served are about to send again.
		// Let them run first, or every other round trip would be half empty.
		runtime.Gosched()
		if batch = b.next(batch); batch == nil {
			return
		}
		b.onTrip(len(batch))
		b.trip(batch)
		clear(batch)
	}
}

// next returns the calls of the next round trip: all that wait, so that if
// Redis hangs, each of them learns it from the first timeout. The memory of the
// last batch is reused. If no call waits, it ends the flight and returns nil.
func (b *batcher) next(last []*call) []*call {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(last) > cap(b.spare) {
		b.spare = last[:0]
	}
	batch := b.waiting
	if len(batch) == 0 {
		b.flights--
		return nil
	}
	b.waiting, b.spare = b.spare, nil
	return batch
}

// trip makes one round trip. The client's timeouts bound it, not the contexts
// of the callers. A command whose caller has left is not sent.
func (b *batcher) trip(batch []*call) {
	ctx := context.Background()
	if len(batch) == 1 && batch[0].then == nil && !batch[0].asking {
		if c := batch[0]; c.ctx.Err() == nil {
			_ = b.node.Process(ctx, c.cmd) // a single command needs no pipeline
		}
	} else {
		pipe := b.node.Pipeline()
		for _, c := range batch {
			if c.ctx.Err() == nil {
				_ = Ask(ctx, pipe, c.asking).Process(ctx, c.cmd)
				if c.then != nil {
					_ = Ask(ctx, pipe, c.asking).Process(ctx, c.then)
				}
			}
		}
		cmds, err := pipe.Exec(ctx)
		setErrors(cmds, err)
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

// setErrors gives the commands the error of their round trip if none of them
// has an error. go-redis does so, except for what Redis replies while a
// connection is made (LOADING, NOAUTH): the commands would look successful.
func setErrors(cmds []redis.Cmder, err error) {
	if err == nil || slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Err() != nil }) {
		return
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}
