package notices

import (
	"context"
	"errors"
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
	// giveUpAfter is how long a notice is tried: one that the receiver never takes
	// must not hold back all others.
	giveUpAfter = 3 * day
)

// Results of a try.
const (
	resultSent    = "sent"
	resultFailed  = "failed"
	resultDropped = "dropped"
)

// send posts the pending notices in their order, until one fails. A notice leaves the
// queue only after the receiver has accepted it, so a receiver may get it again.
func (s *Service) send(ctx context.Context, q store.NoticeQueue) (store.NoticeQueue, error) {
	if s.now().Before(s.retryAt) && s.retryAt.Sub(s.now()) <= lastRetry { // the clock may have been set back
		return q, nil
	}
	ended := time.Now().Add(sendTime)
	var done []string
	for _, n := range q.Pending {
		if time.Now().After(ended) || ctx.Err() != nil || !s.sendOne(ctx, n) {
			break
		}
		done = append(done, n.ID)
	}
	if len(done) == 0 {
		return q, nil
	}
	return s.updateHeld(context.WithoutCancel(ctx), q, func(q *store.NoticeQueue) bool {
		q.Pending = slices.DeleteFunc(q.Pending, func(n store.Notice) bool { return slices.Contains(done, n.ID) })
		return true
	})
}

// sendOne makes one try. It reports whether the notice may leave the queue.
func (s *Service) sendOne(ctx context.Context, n store.Notice) bool {
	body, err := s.body(n)
	if err == nil {
		f := s.o.Post.Post(ctx, n.ID, body)
		if f == nil {
			s.tries, s.retryAt = 0, time.Time{}
			s.o.Observe.NoticeDone(resultSent)
			s.sending.Worked(ctx)
			s.o.Log.InfoContext(ctx, "notices: sent", "notice_id", n.ID, "kind", n.Kind, "subject", n.Subject)
			return true
		}
		err = errors.New(f.Why)
	}
	if ctx.Err() != nil {
		return false
	}
	if s.now().Sub(n.Queued) > giveUpAfter {
		s.o.Observe.NoticeDone(resultDropped)
		s.o.Log.ErrorContext(ctx, "notices: dropped, because the receiver did not accept it for days", "error", err, "notice", n)
		return true
	}
	s.o.Observe.NoticeDone(resultFailed)
	wait := min(firstRetry<<min(s.tries, 20), lastRetry)
	s.tries++
	s.retryAt = s.now().Add(wait/2 + rand.N(wait/2))
	s.sending.Failed(ctx, err, "notice_id", n.ID, "kind", n.Kind)
	return false
}
