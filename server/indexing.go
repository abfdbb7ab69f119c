package server

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/trouble"
)

// indexAgain is how long to wait before the index of groups is tried again.
const indexAgain = time.Minute

// startIndexing completes the store's index of groups in the background: older
// versions write none. It does so at the start, and again when the store was
// replaced.
func (s *Server) startIndexing() {
	ctx, done := s.life, make(chan struct{})
	s.onStop("index of groups", func(context.Context) error { <-done; return nil })
	go func() {
		defer close(done)
		wrong := trouble.New(s.log, "store: the index of customers by org is incomplete, so a list of one org's customers reads those of all orgs; trying again", "store: the index of customers by org is complete")
		for {
			var again <-chan time.Time
			added, err := s.store.IndexGroups(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				wrong.Failed(ctx, err)
				again = time.After(indexAgain)
			default:
				wrong.Worked(ctx)
			}
			if added > 0 {
				s.log.InfoContext(ctx, "store: customers were added to the index of their org", "customers", added)
			}
			select {
			case <-s.replaced:
			case <-again:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// restoreAgain is restore for a store that was replaced. The new one may lack its
// index of groups.
func (s *Server) restoreAgain(ctx context.Context) error {
	select {
	case s.replaced <- struct{}{}:
	default: // it is about to be completed anyway
	}
	return s.restore(ctx)
}
