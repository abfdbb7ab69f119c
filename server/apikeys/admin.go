package apikeys

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Spec is what an operator sends to make a key.
type Spec struct {
	Owner     string           `json:"owner"`
	Name      string           `json:"name"`
	Scope     string           `json:"scope"`
	Lifetime  *string          `json:"lifetime"`   // such as 90d; null: 90 days
	SourceIPs []string         `json:"source_ips"` // empty: from anywhere
	Resources []store.Resource `json:"resources"`  // empty: not restricted
}

var errLifetime = apierr.Member("lifetime", "lifetime is 1m to 365d, such as 90d")

var adminFaults = faults{
	name:       apierr.Member("name", "name is one line of 1 to 255 characters: what the key is for"),
	credential: apierr.Member("name", "name has a credential in it: say in words what the key is for"),
	sources:    apierr.Member("source_ips", "source_ips has IP addresses or CIDRs such as 10.0.0.0/8, at most 32"),
	life:       errLifetime,
}

// Create makes a key of the org for an operator.
// Errors: apierr.InvalidRequest, InvalidScope, NotFound, Conflict.
func (s *Service) Create(ctx context.Context, by audit.Actor, orgID string, in Spec) (Created, error) {
	k := spec{
		owner: in.Owner, name: in.Name, scope: in.Scope, sourceIPs: in.SourceIPs, resources: in.Resources,
		faults: &adminFaults,
	}
	if in.Lifetime != nil {
		var err error
		if k.life, err = field.ParseDuration(*in.Lifetime); err != nil || k.life < minLifetime || k.life > maxLifetime {
			return Created{}, errLifetime
		}
	}
	plain, made, err := s.create(ctx, by, orgID, k)
	if err != nil {
		return Created{}, err
	}
	return viewCreated(plain, &made), nil
}

// AdminRoutes returns the admin endpoints of API keys (ADMIN_API.md).
func AdminRoutes(s *Service) []admin.Route {
	h := adminHandler{s}
	all := func(c *gin.Context, after string, limit int) ([]ListedKey, string, error) {
		return h.list(c, c.Query("org_id"), after, limit)
	}
	ofOrg := func(c *gin.Context, after string, limit int) ([]ListedKey, string, error) {
		return h.list(c, c.Param("id"), after, limit)
	}
	filters := []string{"owner", "state", "expires_within", "unused_for"}
	return []admin.Route{
		admin.ScanRoute("/keys", "keys", all, append(filters, "org_id")...),
		admin.ScanRoute("/orgs/:id/keys", "keys", ofOrg, filters...),
		{Method: http.MethodPost, Path: "/orgs/:id/keys", Handle: h.create},
		{Method: http.MethodGet, Path: "/keys/:id", Handle: h.show},
		{Method: http.MethodDelete, Path: "/keys/:id", Handle: h.revoke},
		{Method: http.MethodPost, Path: "/keys/:id/rotate", Handle: h.rotate},
	}
}

type adminHandler struct{ s *Service }

func (h adminHandler) list(c *gin.Context, org, after string, limit int) ([]ListedKey, string, error) {
	f, err := h.s.readFilter(c, org)
	if err != nil {
		return nil, "", err
	}
	if org != "" {
		if _, err := h.s.o.Orgs.Get(c.Request.Context(), org); err != nil {
			return nil, "", asNoOrg(err)
		}
	}
	return h.s.List(c.Request.Context(), f, after, limit)
}

func (h adminHandler) create(c *gin.Context) error {
	var in Spec
	if err := web.ReadJSON(c, &in, false); err != nil {
		return err
	}
	created, err := h.s.Create(c.Request.Context(), admin.ActorOf(c), c.Param("id"), in)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusCreated, created)
	return nil
}

func (h adminHandler) show(c *gin.Context) error {
	k, err := h.s.Registry.Get(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	v, err := h.s.Show(c.Request.Context(), k)
	if err != nil {
		return err
	}
	admin.SendRecord(c, http.StatusOK, k.Version, v)
	return nil
}

func (h adminHandler) revoke(c *gin.Context) error {
	if err := h.s.Revoke(c.Request.Context(), admin.ActorOf(c), c.Param("id")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (h adminHandler) rotate(c *gin.Context) error {
	grace, err := admin.ReadGrace(c, defaultGrace, errGrace)
	if err != nil {
		return err
	}
	rotated, err := h.s.Rotate(c.Request.Context(), admin.ActorOf(c), c.Param("id"), grace)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusCreated, rotated)
	return nil
}
