package embedded

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"
)

// batch is a running transaction, and the changes to memory that follow once
// it is on the disk.
type batch struct {
	tx     *bbolt.Tx
	now    time.Time
	steady time.Time // what has expired by it may be dropped
	index  *index
	tokens map[digestKey]move
	fed    uint64 // the newest position, if the feed has grown
	// cleared: the tokens that the index has from before this batch are gone.
	cleared bool
}

// errUnchanged is returned by a write that found nothing to write.
var errUnchanged = errors.New("unchanged")

// errNothing rolls back a transaction that wrote nothing. That saves a sync.
var errNothing = errors.New("nothing to commit")

// run runs the writes. An error ends the whole transaction.
func (b *batch) run(writes []*write, expired []hour) error {
	dirty := len(expired) > 0
	if err := b.dropHours(expired); err != nil {
		return err
	}
	for _, w := range writes {
		if w.err = w.ctx.Err(); w.err != nil {
			continue // its caller has left
		}
		var own refusal
		switch w.err = w.run(b); {
		case w.err == nil:
			dirty = true
		case errors.Is(w.err, errUnchanged):
			w.err = nil
		case !errors.As(w.err, &own):
			return w.err
		}
	}
	if !dirty {
		return errNothing
	}
	return nil
}
