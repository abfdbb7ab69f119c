package server

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// expiringWithin is how soon a credential must end to count as expiring.
	expiringWithin = 7 * 24 * time.Hour
	expiringEvery  = 10 * time.Minute
	expiringPage   = 500
)

// startExpiring counts the credentials that end soon, now and every ten minutes
// until Stop, so that operators who watch the metrics can replace them in time.
func (s *Server) startExpiring() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	secrets := credentials[store.Client]{"secrets", s.store.Clients(), store.ClientKind.ID, secretEnds, s.metrics.SecretsExpiring}
	partners := credentials[store.Partner]{"partner tokens", s.store.Partners(), store.PartnerKind.ID, partnerTokenEnds, s.metrics.PartnerTokensExpiring}
	go func() {
		defer close(done)
		tick := time.NewTicker(expiringEvery)
		defer tick.Stop()
		for {
			secrets.count(ctx, s)
			partners.count(ctx, s)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	s.onStop("count of credentials that end soon", func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// credentials are those in the records of one kind.
type credentials[R any] struct {
	name    string
	records store.Records[R]
	id      func(*R) string
	ends    func(r *R, now time.Time) []time.Time // of the live ones
	report  func(n int)
}

// count reports how many of them end soon.
func (c credentials[R]) count(ctx context.Context, s *Server) {
	n, err := c.countEnding(ctx, s.now())
	switch {
	case err == nil:
		c.report(n)
	case ctx.Err() == nil:
		s.log.WarnContext(ctx, c.name+" that end soon are not counted; the last count stays", "error", err)
	}
}

func (c credentials[R]) countEnding(ctx context.Context, now time.Time) (n int, err error) {
	for after := ""; ; {
		page, err := c.records.List(ctx, store.Page{After: after, Limit: expiringPage})
		if err != nil {
			return 0, err
		}
		for i := range page {
			for _, end := range c.ends(&page[i], now) {
				if end.Sub(now) <= expiringWithin {
					n++
				}
			}
		}
		if len(page) < expiringPage {
			return n, nil
		}
		after = c.id(&page[len(page)-1])
	}
}

func secretEnds(c *store.Client, now time.Time) (ends []time.Time) {
	for _, secret := range c.Secrets {
		if c.Usable() && secret.Live(now) && secret.ExpiresAt != nil {
			ends = append(ends, *secret.ExpiresAt)
		}
	}
	return ends
}

func partnerTokenEnds(p *store.Partner, now time.Time) (ends []time.Time) {
	for _, t := range p.Tokens {
		if p.Usable() && t.Live(now) {
			ends = append(ends, t.ExpiresAt)
		}
	}
	return ends
}
