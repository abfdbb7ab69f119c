package apikeys

import (
	"context"
	"errors"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// EndMadeWith ends the keys of the org that were made with what the origin names (see
// store.KeyOrigin.Covers), and returns the ids of those that it ended. If the org is "", it
// looks through the keys of all orgs for those made with the token: a token that expired
// has no record that names its org. The feed must have the end of what made the keys: a
// key that is made later is not found, and confirm ends it. EndMadeWith goes on if one key
// fails, and if its caller leaves. The caller must repeat it after an error.
func (s *Service) EndMadeWith(ctx context.Context, by audit.Actor, orgID string, with store.KeyOrigin) (ended []string, err error) {
	if with == (store.KeyOrigin{}) || orgID == "" && with.TokenID == "" {
		return nil, nil
	}
	ctx = context.WithoutCancel(ctx)
	how := revocation{unsettled: true, ended: with.Principal()}
	var failed []error
	for {
		ids, err := s.madeWith(ctx, orgID, with)
		before := len(ended)
		failed = append(failed, err)
		for _, id := range ids {
			_, err := s.revoke(ctx, by, id, how)
			if failed = append(failed, registry.IgnoreNotFound(err)); err == nil {
				ended = append(ended, id)
			}
		}
		// A rotation may have made another key before its own key ended here. The next
		// pass finds that one.
		if len(ended) == before {
			break
		}
	}
	if len(ended) > 0 || errors.Join(failed...) != nil {
		failed = append(failed, s.o.Feed.Settle(ctx))
	}
	return ended, errors.Join(failed...)
}

// madeWith returns the ids of the keys that work and that were made with what the origin
// names; of all orgs if the org is "".
func (s *Service) madeWith(ctx context.Context, orgID string, with store.KeyOrigin) (ids []string, err error) {
	var found []store.APIKey
	now := s.Registry.Now()
	if err := s.eachOf(ctx, orgID, func(k *store.APIKey) {
		if with.Covers(k.MadeWith) && k.Live(now) {
			found = append(found, *k)
		}
	}); err != nil {
		return nil, err
	}
	orgs := map[string]*store.Org{}
	for i := range found {
		k := &found[i]
		if _, read := orgs[k.OrgID]; !read {
			org, err := s.o.Orgs.Get(ctx, k.OrgID)
			if registry.IgnoreNotFound(err) != nil {
				return nil, err
			}
			if orgs[k.OrgID] = &org; err != nil {
				orgs[k.OrgID] = nil
			}
		}
		if !k.EndedWith(orgs[k.OrgID]) {
			ids = append(ids, k.ID)
		}
	}
	return ids, nil
}
