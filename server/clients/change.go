package clients

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/fault"
	"github.com/grantd/grantd/store"
)

// casTries is how often a change is tried again when the record was changed
// by somebody else in the meantime.
const casTries = 5

// step is one change of a record.
type step struct {
	by      audit.Actor
	action  string
	id      string
	version uint64 // 0: whatever is stored
	edit    func(*store.Client) error
	entries func() []store.Entry // for the feed, after edit has run
	after   func() any           // what the audit shows; nil: the record
}

// changeTimeout bounds a change from the first read to the last replica.
const changeTimeout = 30 * time.Second

// change reads, edits and writes a record by compare-and-set, tells the feed,
// waits for the other replicas, and audits whatever came of it. Once begun it
// does not end with the caller: a record that was written and not announced
// would be used from caches.
func (s *Service) change(ctx context.Context, st step) (View, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	before, after, err := s.write(ctx, st)
	if err == nil {
		entries := st.entries()
		if after.Unannounced {
			entries = append(entries, voidIf(true, st.id, st.by))
		}
		err = s.announce(ctx, entries...)
	}
	if err == nil && after.Unannounced {
		after = s.announced(ctx, after)
	}
	ch := audit.Change{Actor: st.by, Action: st.action, Target: store.PrincipalClient(st.id)}
	if err == nil {
		ch.Before, ch.After = view(before), view(after)
		if st.after != nil {
			ch.Before, ch.After = nil, st.after()
		}
	}
	s.audited(ctx, ch, err)
	return view(after), err
}

// announced notes that the feed has been told. If that fails, or somebody
// else has changed the record since, the next change voids once more.
func (s *Service) announced(ctx context.Context, c store.Client) store.Client {
	next := c
	next.Unannounced = false
	if err := s.o.Store.UpdateClient(ctx, next); err != nil {
		return c
	}
	next.Version++
	return next
}

func (s *Service) write(ctx context.Context, st step) (before, after store.Client, err error) {
	for range casTries {
		before, err = s.read(ctx, st.id)
		if err != nil {
			return before, after, err
		}
		if st.version != 0 && before.Version != st.version {
			return before, after, errStaleETag
		}
		after = before
		if err = st.edit(&after); err != nil {
			return before, after, err
		}
		after.UpdatedAt = s.o.Now().UTC().Truncate(time.Second)
		after.Secrets = withoutLongEnded(after.Secrets, s.o.Now())
		err = s.o.Store.UpdateClient(ctx, after)
		if !errors.Is(err, store.ErrConflict) {
			after.Version++
			return before, after, asFault(err)
		}
	}
	return before, after, errChanged
}

func (s *Service) read(ctx context.Context, id string) (store.Client, error) {
	if !auth.ValidClientID(id) {
		return store.Client{}, errNoClient
	}
	c, err := s.o.Store.GetClient(ctx, id)
	return c, asFault(err)
}

// announce tells the feed and waits for every replica.
func (s *Service) announce(ctx context.Context, entries ...store.Entry) error {
	if err := s.o.Feed.Append(ctx, entries...); err != nil {
		return err
	}
	return s.o.Feed.Settle(ctx)
}

func (s *Service) audited(ctx context.Context, c audit.Change, err error) {
	if err != nil {
		var f *fault.Error
		c.Outcome = string(fault.Unavailable)
		if errors.As(err, &f) {
			c.Outcome = string(f.Code)
		} else if !errors.Is(err, store.ErrUnavailable) {
			c.Outcome = string(fault.ServerError)
		}
	}
	s.o.Audit.Write(ctx, c)
}

func asFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return errNoClient
	case errors.Is(err, store.ErrConflict):
		return errChanged
	}
	return fmt.Errorf("clients: %w", err)
}

// voidIf is the entry that tells of a changed client, or voids its tokens.
func voidIf(void bool, id string, by audit.Actor) store.Entry {
	e := store.Entry{Kind: store.EntryChange, Key: store.PrincipalClient(id), By: by.Name}
	if void {
		e.Kind = store.EntryVoid
	}
	return e
}
