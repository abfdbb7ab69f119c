package partners

import (
	"context"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// RevokeSelf ends the partner token for the partner, which presented it. ok is false if
// there is no such partner token. If the token has ended, nothing is written: anyone who
// has an old token could fill the feed and the audit.
func (s *Service) RevokeSelf(ctx context.Context, presented string, caller audit.Actor) (tokenID string, ok bool, err error) {
	t, err := s.o.Credentials.PartnerTokenOf(ctx, presented)
	if err != nil || t.Token == nil {
		return "", false, err
	}
	if !s.canEnd(t) {
		return t.Token.ID, true, nil
	}
	caller.Name = store.PrincipalPartner(t.Partner.ID)
	return t.Token.ID, true, registry.IgnoreNotFound(s.RevokeToken(ctx, caller, t.Partner.ID, t.Token.ID))
}

// canEnd reports whether the end of the token must be written. A token that is held
// back may live again. One that was revoked may be missing in the feed: an earlier call
// wrote the record and failed afterward.
func (s *Service) canEnd(t tokens.PartnerToken) bool {
	now := s.o.Now()
	switch t.Refused(now) {
	case "":
		return true
	case tokens.RefusedHeld:
		return t.Token.Live(now)
	case tokens.RefusedRevoked:
		return t.Void == nil && now.Sub(*t.Token.RevokedAt) < store.FeedRetention
	}
	return false
}
