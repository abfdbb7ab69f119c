package server

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// expiringWithin is how soon a secret ends that is counted as expiring.
	expiringWithin = 7 * 24 * time.Hour
	expiringEvery  = 10 * time.Minute
	expiringPage   = 500
)

// startExpiring counts the secrets that end soon, now and every ten minutes
// until Stop: who watches the metrics rotates them in time.
func (s *Server) startExpiring() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(expiringEvery)
		defer tick.Stop()
		for {
			if n, err := s.expiring(ctx); err == nil {
				s.metrics.SecretsExpiring(n)
			} else if ctx.Err() == nil {
				s.log.WarnContext(ctx, "secrets that end soon are not counted; the last count stays", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	s.onStop("count of secrets that end soon", func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// expiring counts live secrets of active clients that end soon.
func (s *Server) expiring(ctx context.Context) (n int, err error) {
	for after := ""; ; {
		page, err := s.store.Clients().List(ctx, store.Page{After: after, Limit: expiringPage})
		if err != nil {
			return 0, err
		}
		for i := range page {
			n += endingSoon(&page[i], s.now())
		}
		if len(page) < expiringPage {
			return n, nil
		}
		after = page[len(page)-1].ID
	}
}

func endingSoon(c *store.Client, now time.Time) (n int) {
	if c.DeactivatedAt != nil {
		return 0
	}
	for _, secret := range c.Secrets {
		if secret.Live(now) && secret.ExpiresAt != nil && secret.ExpiresAt.Sub(now) <= expiringWithin {
			n++
		}
	}
	return n
}
