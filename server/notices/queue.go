package notices

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// maxPending bounds the notices that wait. While it is full, nothing is read
	// from the audit and the credentials, which keep what comes.
	maxPending = 200
	// maxRecent bounds the ids that are remembered, and recentFor is for how long:
	// longer than a notice can come a second time.
	maxRecent = 1000
	recentFor = 31 * day
	// leaseFor is how long a replica has the queue after it last said so.
	leaseFor = time.Minute
	// updateTries is how often a change is tried when others change the queue.
	updateTries = 5
)

// errTaken means that another replica has the queue.
var errTaken = errors.New("another replica has the queue of notices")

// load returns the queue, and makes it if there is none.
func (s *Service) load(ctx context.Context) (store.NoticeQueue, error) {
	for range updateTries {
		q, err := s.o.Store.NoticeQueues().Get(ctx, store.NoticeQueueID)
		if !errors.Is(err, store.ErrNotFound) {
			return q, err
		}
		// A queue that is made later must not look like this one.
		q = store.NoticeQueue{ID: store.NoticeQueueID, Version: uint64(s.now().UnixMilli())}
		if err := s.o.Store.NoticeQueues().Create(ctx, q); !errors.Is(err, store.ErrExists) {
			return q, err
		}
	}
	return store.NoticeQueue{}, store.ErrConflict
}

// update changes the queue as edit says, which gets the newest one each time it is
// called and must not change what its lists hold. edit returns false to leave it.
func (s *Service) update(ctx context.Context, q store.NoticeQueue, edit func(*store.NoticeQueue) bool) (store.NoticeQueue, error) {
	for range updateTries {
		next := q
		next.Pending, next.Recent = slices.Clone(q.Pending), slices.Clone(q.Recent)
		if !edit(&next) {
			return q, nil
		}
		err := s.o.Store.NoticeQueues().Update(ctx, next)
		if err == nil {
			next.Version++
			return next, nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			return q, err
		}
		if q, err = s.load(ctx); err != nil {
			return q, err
		}
	}
	return q, store.ErrConflict
}

// updateHeld is update for the replica that has the queue. Errors: errTaken.
func (s *Service) updateHeld(ctx context.Context, q store.NoticeQueue, edit func(*store.NoticeQueue) bool) (store.NoticeQueue, error) {
	taken := false
	q, err := s.update(ctx, q, func(q *store.NoticeQueue) bool {
		if taken = s.o.Shared && q.Holder != s.name; taken {
			return false
		}
		return edit(q)
	})
	if taken {
		err = errTaken
	}
	return q, err
}

// hold takes the queue, or keeps it. held is false while another replica has it. A
// store with one process has no leases.
func (s *Service) hold(ctx context.Context, q store.NoticeQueue, now time.Time) (_ store.NoticeQueue, held bool, err error) {
	if !s.o.Shared {
		return q, true, nil
	}
	q, err = s.update(ctx, q, func(q *store.NoticeQueue) bool {
		mine := q.Holder == s.name
		held = mine || !now.Before(q.HeldUntil)
		if !held || mine && q.HeldUntil.Sub(now) > leaseFor/2 {
			return false
		}
		q.Holder, q.HeldUntil = s.name, now.Add(leaseFor).UTC()
		return true
	})
	return q, held && err == nil, err
}

// release lets another replica take the queue at once.
func (s *Service) release(ctx context.Context) {
	if !s.o.Shared {
		return
	}
	if q, err := s.load(ctx); err == nil {
		_, _ = s.updateHeld(ctx, q, func(q *store.NoticeQueue) bool { // it ends by itself otherwise
			q.Holder, q.HeldUntil = "", time.Time{}
			return true
		})
	}
}

// enqueue adds the notices that were not queued before. It returns false if there are
// none.
func enqueue(q *store.NoticeQueue, list []store.Notice, now time.Time) bool {
	added := false
	q.Recent = slices.DeleteFunc(q.Recent, func(m store.NoticeMark) bool { return now.After(m.Until) })
	for _, n := range list {
		known := slices.ContainsFunc(q.Recent, func(m store.NoticeMark) bool { return m.ID == n.ID })
		if known {
			continue
		}
		added = true
		q.Pending = append(q.Pending, n)
		q.Recent = append(q.Recent, store.NoticeMark{ID: n.ID, Until: now.Add(recentFor).UTC().Truncate(time.Second)})
	}
	if over := len(q.Recent) - maxRecent; over > 0 {
		q.Recent = slices.Delete(q.Recent, 0, over)
	}
	return added
}
