package server

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/doctor"
	"github.com/grantd/grantd/server/rollback"
	"github.com/grantd/grantd/store"
)

// rolledBack tells operators that the store came back older, and what was done
// about it: in the log, the metrics and the audit.
func (s *Server) rolledBack(ctx context.Context, r rollback.Rollback) {
	s.metrics.RolledBack()
	s.log.ErrorContext(ctx, "store: it came back older than it was",
		"entries_lost", r.Entries, "records_written_back", r.WrittenBack, "records_deleted_again", r.Deleted,
		"records_held_back", r.HeldBack, "records_lost", r.Forgotten, "records_damaged", r.Damaged, "all_held_back", r.Hold != nil)
	change := audit.Change{
		Actor: audit.Actor{Name: "system"}, Action: "store.rolled_back", Target: store.PrincipalHold(store.HoldID),
		After: map[string]any{
			"entries_lost": r.Entries, "records_written_back": r.WrittenBack, "records_deleted_again": r.Deleted,
			"records_held_back": r.HeldBack, "records_lost": r.Forgotten, "records_damaged": r.Damaged, "all_held_back": r.Hold != nil,
		},
	}
	s.audit.Write(ctx, change)
	if r.Hold == nil {
		return
	}
	s.log.ErrorContext(ctx, "store: nobody knows what has ended since its newest entry: every client, org, customer, partner, key and grant is held back "+
		"until an operator has looked (grantd store doctor)", "cause", r.Hold.Cause, "newest_entry", r.Hold.LastKnown)
	go s.countHeld(r.Hold.Number)
}

const (
	// countTime bounds the count of what is held back.
	countTime = time.Minute
	// countPoll is how often the count looks whether the feed has the hold.
	countPoll = 100 * time.Millisecond
)

// countHeld logs how many records the hold with the number holds back.
func (s *Server) countHeld(number uint64) {
	ctx, cancel := context.WithTimeout(s.life, countTime)
	defer cancel()
	for h := s.feed.Hold(); h == nil || h.Number < number; h = s.feed.Hold() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(countPoll):
		}
	}
	counts, err := s.doctor().Count(ctx)
	if s.life.Err() != nil {
		return
	}
	if err != nil {
		s.log.WarnContext(ctx, "store: the records that are held back were not counted", "error", err)
		return
	}
	var fields []any
	for kind, n := range counts {
		fields = append(fields, kind, n)
	}
	s.log.ErrorContext(ctx, "store: records are held back; see grantd store doctor", fields...)
}

// doctor returns the service that shows and releases what is held back.
func (s *Server) doctor() *doctor.Service {
	var holds store.Holds
	if s.store != nil {
		holds = s.store.Holds()
	}
	return doctor.New(doctor.Options{
		Store: holds, Feed: s.feed, Audit: s.audit, Now: s.now,
		Kinds: []doctor.Kind{
			{Name: store.ClientKind.Name, Records: s.client.Registry}, {Name: store.OrgKind.Name, Records: s.orgs.Registry},
			{Name: store.CustomerKind.Name, Records: s.customers.Registry}, {Name: store.PartnerKind.Name, Records: s.partners.Registry},
			{Name: store.APIKeyKind.Name, Records: s.keyRecords.Registry},
			{Name: store.GrantKind.Name, Records: s.partners.Grants()},
		},
	})
}
