package clients

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// clientState is a value of the filter state of the list of clients.
type clientState string

const (
	stateActive      clientState = "active"
	stateHeldBack    clientState = "held_back"
	stateDeactivated clientState = "deactivated"
)

// maxQuery is the longest text to look for, in bytes.
const maxQuery = 128

// Filter selects clients. A client must match all that is set.
type Filter struct {
	OrgID string
	State clientState
	Text  string // is in the id or the name, in any case
}

func (f Filter) matches(c *store.Client) bool {
	return (f.OrgID == "" || c.OrgID == f.OrgID) &&
		(f.State == "" || f.State == stateOf(c)) &&
		(f.Text == "" || strings.Contains(strings.ToLower(c.ID), f.Text) || strings.Contains(strings.ToLower(c.Name), f.Text))
}

func stateOf(c *store.Client) clientState {
	switch {
	case c.DeactivatedAt != nil:
		return stateDeactivated
	case c.Held():
		return stateHeldBack
	}
	return stateActive
}

// List returns up to limit clients that the filter selects, by id, and the id to go
// on after. It reads a bounded number of clients, so it may return few, or none,
// before the end, where next is "".
func (s *Service) List(ctx context.Context, f Filter, after string, limit int) (views []View, next string, err error) {
	f.Text = strings.ToLower(f.Text)
	return registry.Scan(ctx, s.Registry, store.Page{After: after, Limit: limit}, func(c store.Client) (View, bool) {
		return viewAt(c, s.o.Now()), f.matches(&c)
	})
}

// ListedSecret is a secret in the list of those of all clients. Absent values are
// null.
type ListedSecret struct {
	ClientID string            `json:"client_id"`
	OrgID    *string           `json:"org_id"`
	State    secretwatch.State `json:"state"`
	SecretView
	EndedAt *time.Time `json:"ended_at"` // of an ended one
	EndedBy *string    `json:"ended_by"` // the actor
}

// AllSecrets is Secrets for all clients: those that the filter selects, by client and
// id. after and next are as in secretwatch.Page.
func (s *Service) AllSecrets(ctx context.Context, f secretwatch.Filter, after string, limit int) (views []ListedSecret, next string, err error) {
	found, next, err := s.secrets.Page(ctx, s.o.Uses, f, after, limit, s.o.Now())
	if err != nil {
		return nil, "", err
	}
	for _, x := range found {
		at := slices.IndexFunc(x.Record.Secrets, func(secret store.Secret) bool { return secret.ID == x.ID })
		v := ListedSecret{ClientID: x.Record.ID, State: x.State, SecretView: viewSecret(&x.Record.Secrets[at], lastuse.ViewOfUse(x.Use))}
		if x.OrgID != "" {
			v.OrgID = &x.OrgID
		}
		if !x.EndedAt.IsZero() {
			v.EndedAt = &x.EndedAt
		}
		if x.EndedBy != "" {
			v.EndedBy = &x.EndedBy
		}
		views = append(views, v)
	}
	return views, next, nil
}

// listClients serves GET /clients.
func (h handler) listClients(c *gin.Context, after string, limit int) (views []View, next string, err error) {
	f := Filter{OrgID: c.Query("org_id"), Text: c.Query("q")}
	if f.State, err = admin.QueryOneOf(c, "state", stateActive, stateHeldBack, stateDeactivated); err != nil {
		return nil, "", err
	}
	switch {
	case f.OrgID != "" && !field.ValidID(f.OrgID):
		return nil, "", errOrgID
	case len(f.Text) > maxQuery:
		return nil, "", bad("q", "q must have at most 128 bytes")
	}
	return h.s.List(c.Request.Context(), f, after, limit)
}

// stateAll is the value of the filter state that selects every secret.
const stateAll secretwatch.State = "all"

// allSecrets serves GET /secrets.
func (h handler) allSecrets(c *gin.Context, after string, limit int) (views []ListedSecret, next string, err error) {
	f := secretwatch.Filter{Record: c.Query("client_id"), OrHeldBack: true}
	now := h.s.o.Now()
	for name, set := range map[string]func(time.Duration){
		"expires_within": func(d time.Duration) { f.EndsBefore = now.Add(d) },
		"unused_for":     func(d time.Duration) { f.UnusedSince = now.Add(-d) },
		"older_than":     func(d time.Duration) { f.MadeBefore = now.Add(-d) },
	} {
		d, err := admin.QueryDuration(c, name)
		if err != nil {
			return nil, "", err
		}
		if d > 0 {
			set(d)
		}
	}
	if f.State, err = admin.QueryOneOf(c, "state", append(slices.Clone(secretwatch.States), stateAll)...); err != nil {
		return nil, "", err
	}
	f.AnyState = f.State == stateAll
	if f.Record != "" {
		if _, err := h.s.Registry.Get(c.Request.Context(), f.Record); err != nil {
			return nil, "", err
		}
	}
	return h.s.AllSecrets(c.Request.Context(), f, after, limit)
}
