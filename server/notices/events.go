package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

const (
	// settled is how old an event must be to be read: events are in two streams, and
	// a later event may get an earlier place.
	settled = 5 * time.Second
	// firstEvents is how far back the first reading of a store goes.
	firstEvents = day
	// eventsAtOnce and eventsCatchUp are the sizes of the first page and of further
	// ones. eventsTime bounds one reading.
	eventsAtOnce, eventsCatchUp = 50, 1000
	eventsTime                  = 20 * time.Second
	// skew is how much the clocks of replicas may differ.
	skew = 5 * time.Minute
)

var errTooFar = errors.New("the audit has more new events than can be read at once")

// collectEvents returns up to room notices of the events of the audit that are newer
// than the queue knows, the oldest first, and the newest event that was read.
func (s *Service) collectEvents(ctx context.Context, q store.NoticeQueue, room int, now time.Time) (list []store.Notice, last store.AuditEvent, err error) {
	oldest := q.AuditTime.Add(-skew)
	if q.AuditID == "" {
		oldest = now.Add(-firstEvents)
	}
	type found struct {
		notice store.Notice
		event  store.AuditEvent
	}
	var all []found // the newest first
	ctx, cancel := context.WithTimeout(ctx, eventsTime)
	defer cancel()
	for cursor, atOnce := "", eventsAtOnce; ; atOnce = eventsCatchUp {
		page, err := s.o.Store.ListAudit(ctx, cursor, atOnce)
		if err != nil && ctx.Err() != nil && cursor != "" {
			s.reading.Failed(ctx, errTooFar)
			break // what is older is left out, rather than tried again for ever
		}
		if err != nil {
			return nil, last, err
		}
		end := len(page) < atOnce
		for _, e := range page {
			if e.ID == q.AuditID || e.Time.Before(oldest) {
				end = true
				break
			}
			cursor = e.ID
			if now.Sub(e.Time) < settled {
				continue
			}
			if last.ID == "" {
				last = e
			}
			if n, ok := noticeOf(e, now); ok {
				all = append(all, found{n, e})
			}
			if len(all) > 2*room { // the oldest go first
				all = slices.Delete(all, 0, len(all)-room)
				last = all[0].event
			}
		}
		if end {
			break
		}
	}
	if len(all) > room {
		all = all[len(all)-room:]
		last = all[0].event
	}
	for _, f := range slices.Backward(all) {
		list = append(list, f.notice)
	}
	return list, last, nil
}

// noticeOf returns the notice of an event; false: it is none.
func noticeOf(e store.AuditEvent, now time.Time) (store.Notice, bool) {
	if e.Outcome != audit.OutcomeDone && e.Outcome != audit.OutcomeUnconfirmed {
		return store.Notice{}, false
	}
	d := details{}
	if len(e.After) > 0 {
		_ = json.Unmarshal(e.After, &d) // what is no object has no members
	}
	kind, subject, summary := "", e.Target, ""
	switch e.Action {
	case "leak.report":
		kind, summary = kindLeaked, fmt.Sprintf("%s was reported as leaked and has ended with all that it made: give its owner a new one", e.Target)
		d["actor"] = e.Actor
	case "store.rolled_back":
		kind, subject, summary = kindRolledBack, "store", "the store came back older than it was: run grantd store doctor"
	case "customer.locked":
		kind, summary = kindCustomerLocked, fmt.Sprintf("wrong codes have locked %s", e.Target)
		d["actor"], d["address"] = e.Actor, e.Address
	case "limit.exceeded":
		kind, summary = kindQuotaExceeded, fmt.Sprintf("%s is over the limit %v", e.Target, d["limit"])
		at := e.Time.UTC().Truncate(time.Hour) // one notice in an hour
		return build(kind, e.Time, now, subject, summary, d, d["limit"], at.Unix()), true
	default:
		return store.Notice{}, false
	}
	return build(kind, e.Time, now, subject, strings.TrimSpace(summary), d, e.Time.UnixNano(), e.Actor, e.RequestID), true
}
