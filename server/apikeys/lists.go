package apikeys

import (
	"context"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// Filter selects keys. A key must match all that is set.
type Filter struct {
	secretwatch.Filter
	Owner string
}

// List returns up to limit keys that the filter selects, by id. after and next are as
// in secretwatch.Page.
func (s *Service) List(ctx context.Context, f Filter, after string, limit int) (views []ListedKey, next string, err error) {
	kind := s.kind
	if f.Owner != "" {
		all := kind.Credentials
		kind.Credentials = func(ctx context.Context, keys []store.APIKey, now time.Time) ([][]secretwatch.Credential, error) {
			lists, err := all(ctx, keys, now)
			for i := range lists {
				if keys[i].Owner != f.Owner {
					lists[i] = nil
				}
			}
			return lists, err
		}
	}
	now := s.o.Now()
	found, next, err := kind.Page(ctx, s.o.Uses, f.Filter, after, limit, now)
	for _, x := range found {
		if now.Sub(endedAt(x.Credential, now)) <= keepEnded {
			views = append(views, viewListed(x))
		}
	}
	return views, next, err
}

// endedAt returns when the credential ended; now if it works.
func endedAt(c secretwatch.Credential, now time.Time) time.Time {
	switch {
	case !c.EndedAt.IsZero():
		return c.EndedAt
	case c.State == secretwatch.Expired:
		return c.ExpiresAt
	}
	return now
}

// Show returns the key. Errors: apierr.NotFound.
func (s *Service) Show(ctx context.Context, k store.APIKey) (ListedKey, error) {
	found, _, err := s.kind.Page(ctx, s.o.Uses, secretwatch.Filter{AnyState: true, Record: k.ID}, "", 1, s.o.Now())
	if err != nil || len(found) == 0 {
		return ListedKey{View: view(&k)}, err
	}
	return viewListed(found[0]), nil
}

// stateAll is the value of the filter state that selects every key.
const stateAll secretwatch.State = "all"

var errOrgID = apierr.Member("org_id", "org_id must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -")

// readFilter reads the filter from the query.
func (s *Service) readFilter(c *gin.Context, org string) (f Filter, err error) {
	f.Group, f.Owner, f.OrHeldBack = org, c.Query("owner"), true
	if f.Group != "" && !field.ValidID(f.Group) {
		return f, errOrgID
	}
	if f.Owner != "" && !validOwner(f.Owner) {
		return f, errOwner
	}
	now := s.o.Now()
	for name, set := range map[string]func(time.Duration){
		"expires_within": func(d time.Duration) { f.EndsBefore = now.Add(d) },
		"unused_for":     func(d time.Duration) { f.UnusedSince = now.Add(-d) },
	} {
		d, err := admin.QueryDuration(c, name)
		if err != nil {
			return f, err
		}
		if d > 0 {
			set(d)
		}
	}
	f.State, err = admin.QueryOneOf(c, "state", append(slices.Clone(secretwatch.KeyStates), stateAll)...)
	f.AnyState = f.State == stateAll
	return f, err
}
