package doctor

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/web"
)

// State is the response of GET /store.
type State struct {
	Hold  *View    `json:"hold"` // null: there never was one
	Kinds []string `json:"kinds"`
}

// ReleaseRequest is the body of POST /store/release.
type ReleaseRequest struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	All  bool   `json:"all,omitempty"` // instead of an ID: all of the kind that fall under the hold
	// Hold is the number of the hold that the caller looked at; 0: whatever there
	// is. Another one is not released.
	Hold uint64 `json:"hold,omitempty"`
}

// Routes returns the admin endpoints of the store's state.
func (s *Service) Routes() []admin.Route {
	return []admin.Route{
		{Method: http.MethodGet, Path: "/store", Handle: s.state},
		admin.ListRoute("/store/held", "records", s.held, func(r registry.HeldRecord) string { return r.ID }, "kind"),
		{Method: http.MethodPost, Path: "/store/release", Handle: s.release},
	}
}

func (s *Service) state(c *gin.Context) error {
	web.JSON(c, http.StatusOK, State{s.Hold(), s.Kinds()})
	return nil
}

func (s *Service) release(c *gin.Context) error {
	var body ReleaseRequest
	if err := web.ReadJSON(c, &body, false); err != nil {
		return err
	}
	if err := s.Release(c.Request.Context(), admin.ActorOf(c), body); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (s *Service) held(c *gin.Context, after string, limit int) ([]registry.HeldRecord, error) {
	return s.Held(c.Request.Context(), c.Query("kind"), after, limit)
}
