package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
)

// maxBatch is how many writes share one sync at most.
const maxBatch = 1024

// write is one queued write.
type write struct {
	ctx context.Context
	// run checks first and writes afterward, so that a refusal leaves nothing
	// behind in the transaction that it shares.
	run  func(*batch) error
	done chan error
	err  error
}

// write queues run and waits until it is on the disk. If ctx ends first, the
// outcome is unknown.
func (s *Store) write(ctx context.Context, operation string, run func(*batch) error) error {
	if err := s.open(ctx, operation); err != nil {
		return err
	}
	w := &write{ctx: ctx, run: run, done: make(chan error, 1)}
	select {
	case s.queue <- w:
	case <-ctx.Done():
		return unavailable(operation, ctx.Err())
	case <-s.closing:
		return unavailable(operation, errClosed)
	}
	select {
	case err := <-w.done:
		return resultError(operation, err)
	case <-ctx.Done():
		return unavailable(operation, ctx.Err())
	case <-s.stopped:
	}
	select {
	case err := <-w.done: // it was in the last batch
		return resultError(operation, err)
	default:
		return unavailable(operation, errClosed)
	}
}

// writeAll is the writer: it commits what is queued until the store closes.
func (s *Store) writeAll(sweep time.Duration) {
	defer close(s.stopped)
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	var batch []*write
	s.commit(nil) // hours that passed while it was closed
	for {
		select {
		case w := <-s.queue:
			// The callers that the last batch served are about to write again.
			// Let them run until no new write is queued: a commit costs the
			// same for all of them.
			batch = append(batch[:0], w)
			for grew := true; grew; {
				before := len(batch)
				runtime.Gosched()
				batch = s.drain(batch)
				grew = len(batch) > before
			}
			s.commit(batch)
			clear(batch)
		case <-tick.C:
			s.commit(nil)
		case <-s.closing:
			for batch = s.drain(batch[:0]); len(batch) > 0; batch = s.drain(batch[:0]) {
				s.commit(batch)
			}
			return
		}
	}
}

// drain adds the queued writes to the batch, up to maxBatch.
func (s *Store) drain(batch []*write) []*write {
	for len(batch) < maxBatch {
		select {
		case w := <-s.queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the writes and drops expired hours in one transaction, and
// completes each write. If the transaction fails, all writes fail: a refusal too
// may depend on a write that was not kept.
func (s *Store) commit(writes []*write) {
	expired := s.index.expired(s.clock.Now())
	if len(writes) == 0 && len(expired) == 0 {
		return
	}
	var b *batch
	err := s.update(func(tx *bbolt.Tx) error {
		b = &batch{tx: tx, now: s.now(), steady: s.clock.Now(), index: &s.index, tokens: map[digestKey]move{}}
		if err := s.settle(tx); err != nil {
			return err
		}
		return b.run(writes, expired)
	})
	switch {
	case err == nil:
		if b.cleared {
			s.index.clear()
		}
		s.index.apply(b.tokens, expired)
		s.onCommit(len(writes))
		if b.fed > 0 {
			s.witness.record(b.fed)
			s.fed.ring()
		}
	case !errors.Is(err, errNothing):
		s.report(err)
		for _, w := range writes {
			w.err = err
		}
	}
	for _, w := range writes {
		w.done <- w.err
	}
}

// update is db.Update, but turns a panic into an error and remembers which
// transaction failed.
func (s *Store) update(run func(*bbolt.Tx) error) (err error) {
	id := 0
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		if err != nil && !errors.Is(err, errNothing) {
			s.lostTx = id
		}
	}()
	return s.db.Update(func(tx *bbolt.Tx) error {
		id = tx.ID()
		return run(tx)
	})
}

// settle reloads the index if a commit that failed reached the disk after all:
// then its transaction number is used, and the index lacks its tokens.
func (s *Store) settle(tx *bbolt.Tx) error {
	if s.lostTx != 0 && tx.ID() != s.lostTx {
		if err := s.index.load(tx, s.clock.Now()); err != nil {
			return err
		}
	}
	s.lostTx = 0
	return nil
}
