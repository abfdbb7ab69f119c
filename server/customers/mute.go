package customers

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// DefaultMute is how long a customer is muted if the operator does not say.
const DefaultMute = 24 * time.Hour

// Bounds of a mute.
const (
	minMute = time.Minute
	maxMute = 365 * 24 * time.Hour
)

var errFor = apierr.Member("for", "for is how long no codes are sent, 1m to 365d, such as 24h")

// Mute has no codes sent to the customer for so long, whatever a client asks for. A
// code that was sent before is void. Errors: apierr.NotFound, InvalidRequest.
func (s *Service) Mute(ctx context.Context, by audit.Actor, id string, d time.Duration) (Shown, error) {
	if d < minMute || d > maxMute {
		return Shown{}, errFor
	}
	until := s.Registry.Now().Add(d)
	return s.changeMute(ctx, by, "mute", id, &until)
}

// Unmute ends a mute. Errors: apierr.NotFound.
func (s *Service) Unmute(ctx context.Context, by audit.Actor, id string) (Shown, error) {
	return s.changeMute(ctx, by, "unmute", id, nil)
}

func (s *Service) changeMute(ctx context.Context, by audit.Actor, action, id string, until *time.Time) (Shown, error) {
	c, err := s.Registry.Change(ctx, registry.Step[store.Customer]{
		By: by, Action: action, ID: id, Unsettled: true,
		Recorded: func() bool { return true }, // a store that comes back older must not send codes again
		Edit: func(c *store.Customer) error {
			if c.MutedUntil == nil && until == nil {
				return registry.ErrUnchanged
			}
			c.MutedUntil = until
			return nil
		},
	})
	if err != nil {
		return Shown{}, err
	}
	return s.shown(ctx, c)
}

// dropMute removes a mute that has ended from a record that is written anyway.
func dropMute(c *store.Customer, now time.Time) {
	if muteBlock(*c, now).by == "" {
		c.MutedUntil = nil
	}
}
