package apikeys

import (
	"context"
	"errors"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// EndMadeWith ends the keys of the org that were made with what the origin names (see
// store.KeyOrigin.Covers), and returns the ids of those that it ended. It ends no keys if
// the org is "" or gone. What made the keys must have ended on every replica: a key that
// it makes later is not found. EndMadeWith goes on if one key fails, and if its caller
// leaves. The caller must repeat it after an error.
func (s *Service) EndMadeWith(ctx context.Context, by audit.Actor, orgID string, with store.KeyOrigin) (ended []string, err error) {
	if orgID == "" || with == (store.KeyOrigin{}) {
		return nil, nil
	}
	ctx = context.WithoutCancel(ctx)
	org, err := s.o.Orgs.Get(ctx, orgID)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	var ids []string
	now := s.Registry.Now()
	failed := []error{s.eachOf(ctx, orgID, func(k *store.APIKey) {
		if with.Covers(k.MadeWith) && k.Live(now) && !k.EndedWith(&org) {
			ids = append(ids, k.ID)
		}
	})}
	how := revocation{unsettled: true, ended: with.Principal()}
	for _, id := range ids {
		_, err := s.revoke(ctx, by, id, how)
		if failed = append(failed, ignoreNotFound(err)); err == nil {
			ended = append(ended, id)
		}
	}
	if len(ids) > 0 {
		failed = append(failed, s.o.Feed.Settle(ctx))
	}
	return ended, errors.Join(failed...)
}
