package signing

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// View is a key as the admin API and the audit show it.
type View struct {
	ID         string     `json:"kid"`
	State      string     `json:"state"` // next, signing, retired
	CreatedAt  time.Time  `json:"created_at"`
	SignsSince *time.Time `json:"signs_since"` // of the next key, when it will
	RetiredAt  *time.Time `json:"retired_at"`
	// PublishedUntil is when a retired key is removed.
	PublishedUntil *time.Time `json:"published_until"`
}

// The states.
const (
	stateNext    = "next"
	stateSigning = "signing"
	stateRetired = "retired"
)

// viewOf returns the keys without their private halves.
func viewOf(k *store.SigningKeys) []View {
	views := make([]View, len(k.Keys))
	for i, key := range k.Keys {
		v := View{ID: key.ID, State: stateSigning, CreatedAt: key.CreatedAt}
		since := key.SignsSince
		if key.IsNext() {
			v.State, since = stateNext, key.CreatedAt.Add(publishFor)
		}
		v.SignsSince = &since
		if !key.RetiredAt.IsZero() {
			retired, until := key.RetiredAt, key.RetiredAt.Add(keepFor)
			v.State, v.RetiredAt, v.PublishedUntil = stateRetired, &retired, &until
		}
		views[i] = v
	}
	return views
}

// rotation is the body of POST /signing-keys/rotate.
type rotation struct {
	Now bool `json:"now"`
}

// list is the response to it.
type list struct {
	Keys []View `json:"signing_keys"`
}

// AdminRoutes returns the admin endpoints of signing keys (ADMIN_API.md).
func AdminRoutes(s *Service) []admin.Route {
	return []admin.Route{
		admin.WholeListRoute("/signing-keys", "signing_keys", func(c *gin.Context) ([]View, error) { return s.List(c.Request.Context()) }, func(v View) string { return v.ID }),
		{Method: http.MethodPost, Path: "/signing-keys/rotate", Handle: admin.CallOptional(func(ctx context.Context, by audit.Actor, in rotation) (list, error) {
			keys, err := s.Rotate(ctx, by, in.Now)
			return list{keys}, err
		})},
		{Method: http.MethodDelete, Path: "/signing-keys/:id", Handle: func(c *gin.Context) error {
			if err := s.Remove(c.Request.Context(), admin.ActorOf(c), c.Param("id")); err != nil {
				return err
			}
			c.Status(http.StatusNoContent)
			return nil
		}},
	}
}
