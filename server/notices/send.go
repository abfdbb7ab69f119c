package notices

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// sendTime bounds the sending between two looks at the queue.
	sendTime = 10 * time.Second
	// firstRetry is the wait after a try that failed. It doubles up to lastRetry.
	firstRetry, lastRetry = time.Second, 5 * time.Minute
	// giveUpAfter is how long a notice is tried, from its first try on.
	giveUpAfter = 3 * day
	// holdBack is how long a notice holds back the others while the receiver seems to
	// be down. It may be this notice that the receiver fails on.
	holdBack = time.Hour
	// refusedAtOnce bounds how many notices are refused between two looks at the queue.
	refusedAtOnce = 10
)

// Results of a try.
const (
	resultSent    = "sent"
	resultFailed  = "failed"
	resultDropped = "dropped"
)

// outcome is what a try means for the queue.
type outcome byte

const (
	leaves  outcome = iota // the notice was accepted or dropped
	refused                // it stays, and the others go on
	down                   // it stays, and the others wait behind it
)

// backoff is when a notice that was refused is tried again.
type backoff struct {
	tries int
	next  time.Time
}

// send posts the pending notices in their order, until the receiver seems to be down. A
// notice leaves the queue only after the receiver has accepted it, so a receiver may get
// it again. One that it refuses is tried again later, and holds back no other.
func (s *Service) send(ctx context.Context, q store.NoticeQueue) (store.NoticeQueue, error) {
	s.forget(ctx, q)
	if s.waits(s.retryAt) {
		return q, nil
	}
	ended, refusals := time.Now().Add(sendTime), 0
	var done []string
	tried := map[string]time.Time{} // the first try of those that failed
	for _, n := range q.Pending {
		if time.Now().After(ended) || ctx.Err() != nil || refusals >= refusedAtOnce {
			break
		}
		if s.waits(s.refused[n.ID].next) {
			continue
		}
		if n.Tried.IsZero() {
			n.Tried = s.now().UTC().Truncate(time.Second)
			tried[n.ID] = n.Tried
		}
		result := s.sendOne(ctx, n)
		if result == leaves {
			done = append(done, n.ID)
			delete(tried, n.ID)
		}
		if result == refused {
			refusals++
		}
		if result == down {
			break
		}
	}
	if len(done) == 0 && len(tried) == 0 {
		return q, nil
	}
	return s.updateHeld(context.WithoutCancel(ctx), q, func(q *store.NoticeQueue) bool {
		q.Pending = slices.DeleteFunc(q.Pending, func(n store.Notice) bool { return slices.Contains(done, n.ID) })
		for i, n := range q.Pending {
			if at, ok := tried[n.ID]; ok {
				q.Pending[i].Tried = at
			}
		}
		return true
	})
}

// waits reports whether the time of a retry is still to come. The clock may have been set
// back.
func (s *Service) waits(until time.Time) bool {
	now := s.now()
	return now.Before(until) && until.Sub(now) <= lastRetry
}

// forget drops the backoffs of notices that have left the queue.
func (s *Service) forget(ctx context.Context, q store.NoticeQueue) {
	maps.DeleteFunc(s.refused, func(id string, _ backoff) bool {
		return !slices.ContainsFunc(q.Pending, func(n store.Notice) bool { return n.ID == id })
	})
	if len(s.refused) == 0 {
		s.refusing.Worked(ctx)
	}
}

// sendOne makes one try.
func (s *Service) sendOne(ctx context.Context, n store.Notice) outcome {
	again := false
	body, err := s.body(n)
	if err == nil {
		f := s.o.Post.Post(ctx, n.ID, body)
		if f == nil {
			s.tries, s.retryAt = 0, time.Time{}
			s.o.Observe.NoticeDone(resultSent)
			s.sending.Worked(ctx)
			s.o.Log.InfoContext(ctx, "notices: sent", "notice_id", n.ID, "kind", n.Kind, "subject", n.Subject)
			return leaves
		}
		again, err = f.Again, errors.New(f.Why)
	}
	if ctx.Err() != nil {
		return down
	}
	age := s.now().Sub(n.Tried)
	if age > giveUpAfter {
		s.o.Observe.NoticeDone(resultDropped)
		s.o.Log.ErrorContext(ctx, "notices: dropped, because the receiver did not accept it for days", "error", err, "notice", n)
		return leaves
	}
	s.o.Observe.NoticeDone(resultFailed)
	if again && age <= holdBack {
		s.retryAt = s.retryAfter(s.tries)
		s.tries++
		s.sending.Failed(ctx, err, "notice_id", n.ID, "kind", n.Kind)
		return down
	}
	tries := s.refused[n.ID].tries
	s.refused[n.ID] = backoff{tries + 1, s.retryAfter(tries)}
	s.refusing.Failed(ctx, err, "notice_id", n.ID, "kind", n.Kind)
	return refused
}

// retryAfter returns when to try again after so many failures before this one.
func (s *Service) retryAfter(tries int) time.Time {
	wait := min(firstRetry<<min(tries, 20), lastRetry)
	return s.now().Add(wait/2 + rand.N(wait/2))
}
