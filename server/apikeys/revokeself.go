package apikeys

import (
	"context"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// RevokeSelf ends the key for its holder, who presented it. ok is false if it is not an
// API key of this server. If the key has ended, nothing is written: anyone who has an
// old key could fill the feed and the audit. Errors: store.ErrUnavailable.
func (s *Service) RevokeSelf(ctx context.Context, presented string, caller audit.Actor) (keyID string, ok bool, err error) {
	_, keyID, ok, err = s.o.Credentials.KeyOf(ctx, presented)
	if err != nil || !ok {
		return "", false, err
	}
	caller.Name = store.PrincipalKey(keyID)
	return keyID, true, registry.IgnoreNotFound(s.Revoke(ctx, caller, keyID))
}
