package apikeys

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Paths of the public endpoints (KEY_GUIDE.md). Everything below PathPrefix is
// JSON:API, errors too.
const (
	PathPrefix = "/users/"
	PathKeys   = "/users/:id/api-tokens"
	PathKey    = "/users/:id/api-tokens/:tid"
)

// typeKey is the type of the JSON:API documents.
const typeKey = "apiToken"

// Finder finds the token of a caller; see tokens.Service.
type Finder interface {
	FindBearer(ctx context.Context, presented string, from netip.Addr, uses ...store.TokenUse) (tokens.Found, error)
}

// Quota limits how often a client makes and revokes keys; it must not block.
type Quota interface {
	TakeToken(clientID string) (wait time.Duration)
}

// Handler serves the endpoints at which a client manages the keys of its org.
type Handler struct {
	Keys  *Service
	Find  Finder
	Quota Quota
}

var (
	errNoBearer = apierr.New(apierr.NoToken, "this needs Authorization: Bearer with a token of a client of the org")
	errBearer   = apierr.New(apierr.InvalidToken, "the bearer token is not active, is not for this server, or is not one of a client")
	errNotOrgs  = apierr.New(apierr.AccessDenied, "the client of the bearer token belongs to no org: only a client of an org can manage the keys of that org")
	errNoKey    = apierr.New(apierr.NotFound, "the org of the bearer token has no such API key of this owner")
	errNoOwner  = apierr.New(apierr.NotFound, "the org of the bearer token has no API keys of this owner")
	errQuota    = apierr.New(apierr.TooManyRequests, "this client makes and revokes API keys too often: wait as long as Retry-After says")
)

// Create serves POST /users/{id}/api-tokens.
func (h Handler) Create(c *gin.Context) error {
	var r Request
	if err := web.ReadDocument(c, typeKey, &r); err != nil {
		return err
	}
	b, err := h.authenticate(c, scopes.APITokensWrite)
	if err != nil {
		return err
	}
	if err := h.take(c, b); err != nil {
		return err
	}
	plain, k, err := h.Keys.createFor(c.Request.Context(), b, c.Param("id"), r)
	if err != nil {
		return err
	}
	web.EventOf(c).TokenID = k.ID
	doc := document(&k)
	doc.Token = plain
	web.SendResource(c, http.StatusCreated, web.Resource{Type: typeKey, ID: k.ID, Attributes: doc})
	return nil
}

// List serves GET /users/{id}/api-tokens: the keys of the owner that work.
func (h Handler) List(c *gin.Context) error {
	b, err := h.authenticateBare(c, scopes.APITokens)
	if err != nil {
		return err
	}
	keys, err := h.Keys.liveOf(c.Request.Context(), b.token.OrgID, c.Param("id"))
	if err != nil {
		return err
	}
	list := []web.Resource{}
	for i := range keys {
		list = append(list, web.Resource{Type: typeKey, ID: keys[i].ID, Attributes: document(&keys[i])})
	}
	web.SendResources(c, http.StatusOK, list)
	return nil
}

// Revoke serves DELETE /users/{id}/api-tokens/{tokenId}.
func (h Handler) Revoke(c *gin.Context) error {
	b, err := h.authenticateBare(c, scopes.APITokensWrite)
	if err != nil {
		return err
	}
	if err := h.take(c, b); err != nil {
		return err
	}
	k, err := h.Keys.revokeOf(c.Request.Context(), b, c.Param("id"), c.Param("tid"))
	if err != nil {
		return err
	}
	web.EventOf(c).TokenID = k.ID
	web.SendResource(c, http.StatusOK, web.Resource{Type: typeKey, ID: k.ID, Attributes: document(&k)})
	return nil
}

// take counts a change of the client.
func (h Handler) take(c *gin.Context, b bearer) error {
	if wait := h.Quota.TakeToken(b.token.ClientID); wait > 0 {
		web.EventOf(c).Limit = ratelimit.KeyChangesPerClient
		return errQuota.After(wait)
	}
	return nil
}

// bearer is the client token that a caller presented.
type bearer struct {
	token *store.Token // shared: do not change it
	found tokens.Found
	actor audit.Actor
}

// authenticateBare is authenticate for a request without a body.
func (h Handler) authenticateBare(c *gin.Context, scope string) (bearer, error) {
	if err := web.RefuseQuery(c); err != nil {
		return bearer{}, err
	}
	return h.authenticate(c, scope)
}

// authenticate returns the token of a client of an org that the caller presented,
// which must have the scope, and records its client in the event.
func (h Handler) authenticate(c *gin.Context, scope string) (bearer, error) {
	p := auth.Presented{Authorization: c.Request.Header.Values("Authorization")}
	presented, ok := p.Bearer()
	if !ok || presented == "" {
		return bearer{}, errNoBearer
	}
	found, err := h.Find.FindBearer(c.Request.Context(), presented, web.Address(c), store.UseClient)
	if err != nil {
		return bearer{}, err
	}
	ev := web.EventOf(c)
	if found.Token == nil {
		ev.NoteEnd(found.ID(), found.End.VoidOf, found.End.At)
		return bearer{}, errBearer.Because(found.End.Cause)
	}
	t := found.Token
	ev.ClientID = t.ClientID
	switch {
	case !scopes.Holds(t.Scopes, scope):
		return bearer{}, &apierr.Error{Code: apierr.InsufficientScope, Description: "the bearer token lacks the scope that this needs", Scope: scope}
	case t.OrgID == "":
		return bearer{}, errNotOrgs.Because(refusal.TokenWithoutOrg)
	case !field.ValidID(c.Param("id")):
		return bearer{}, errOwnerInPath
	}
	ev.OrgID = t.OrgID
	return bearer{t, found, audit.Actor{Name: store.PrincipalClient(t.ClientID), Address: web.AddressString(c), RequestID: ev.RequestID}}, nil
}
