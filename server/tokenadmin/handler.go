// Package tokenadmin holds the admin endpoints of tokens and leaked
// credentials: it explains a token, ends one or all, and ends a token or secret
// that was found where it should not be. The rules of tokens are in
// server/tokens, those of secrets in server/clients, those of partner tokens in
// server/partners, those of API keys in server/apikeys. See ADMIN_API.md in server/admin.
package tokenadmin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// LongLived ends long-lived tokens of a kind: partner tokens or API keys. They are
// records, not stored tokens.
type LongLived interface {
	// RevokePresented also returns the id of the partner or the org that has the token.
	RevokePresented(ctx context.Context, by audit.Actor, presented string) (owner, tokenID string, ok bool, err error)
	RevokeByID(ctx context.Context, by audit.Actor, tokenID string) (ok bool, err error)
	VoidAll(ctx context.Context, by audit.Actor) error
}

// Keys ends API keys, also those that were made with something that leaked.
type Keys interface {
	LongLived
	EndMadeWith(ctx context.Context, by audit.Actor, orgID string, with store.KeyOrigin) (ended []string, err error)
}

// Handler handles the requests.
type Handler struct {
	Tokens   *tokens.Service
	Secrets  Secrets
	Partners LongLived
	Keys     Keys
	Feed     *feed.Feed
	Audit    *audit.Log
	Uses     store.Uses
	Events   store.Audit
	// TokenPrefix is what tokens begin with; "": nothing.
	TokenPrefix string
}

// Routes returns the endpoints.
func (h Handler) Routes() []admin.Route {
	return []admin.Route{
		{Method: http.MethodPost, Path: "/tokens/explain", Handle: h.explain, Reads: true},
		{Method: http.MethodPost, Path: "/tokens/revoke", Handle: h.revoke},
		{Method: http.MethodPost, Path: "/tokens/void-all", Handle: h.voidAll},
		{Method: http.MethodPost, Path: "/leaks", Handle: h.reportLeak},
	}
}

// maxCredential is the longest token or secret that is read, in bytes.
const maxCredential = 4096

var (
	errNoToken = apierr.New(apierr.InvalidRequest, "token is missing: send token or jti").At("token")
	errLong    = apierr.New(apierr.InvalidRequest, "token is longer than any token").At("token")
	errWhich   = apierr.New(apierr.InvalidRequest, "send either token or jti")
	errJTI     = apierr.New(apierr.InvalidRequest, "jti is not the id of a token of this server").At("jti")
	errUnknown = apierr.New(apierr.NotFound, "there is no such token: it has expired, was made elsewhere, or was damaged in copying")
)

func (h Handler) explain(c *gin.Context) error {
	var body tokenOrID
	if err := web.ReadJSON(c, &body, false); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	var x tokens.Explanation
	var err error
	ok := true
	if body.ID != "" {
		x, ok, err = h.Tokens.ExplainID(ctx, body.ID)
	} else {
		x, err = h.Tokens.Explain(ctx, body.Token)
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return errJTI
	}
	explained := Explained{Explanation: x}
	if explained.LastUse, err = h.useOf(ctx, &x); err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, explained)
	return nil
}

// Explained is what an operator learns about a token, with the last use of a long-lived
// one, some seconds behind.
type Explained struct {
	tokens.Explanation
	LastUse *lastuse.View `json:"last_use,omitempty"`
}

// tokenOrID is the body of a request about one token.
type tokenOrID struct {
	Token string `json:"token"`
	ID    string `json:"jti"`
}

// check returns an error unless the body has exactly one of the two.
func (b tokenOrID) check() error {
	switch {
	case b.Token == "" && b.ID == "":
		return errNoToken
	case b.Token != "" && b.ID != "":
		return errWhich
	case len(b.Token) > maxCredential:
		return errLong
	}
	return nil
}

func (h Handler) revoke(c *gin.Context) error {
	var body tokenOrID
	if err := web.ReadJSON(c, &body, false); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	ctx, by := c.Request.Context(), admin.ActorOf(c)
	if id, ok, err := h.revokeLongLived(ctx, by, body.Token, body.ID); ok || err != nil {
		if err != nil {
			return err
		}
		revoked(c, id)
		return nil
	}
	var d store.Digest
	var t store.Token
	var err error
	if body.ID == "" {
		d = tokens.DigestOf(body.Token)
		t, err = h.Tokens.RevokePresented(ctx, body.Token, by.Name)
	} else {
		var ok bool
		if d, ok = tokens.ParseID(body.ID); !ok {
			return errJTI
		}
		t, err = h.Tokens.Revoke(ctx, d, by.Name)
	}
	if errors.Is(err, store.ErrNotFound) {
		return errUnknown
	}
	if err == nil {
		err = h.Feed.Settle(ctx)
	}
	h.Audit.Write(ctx, revocation(by, &t, tokens.ID(d), err))
	if err != nil {
		return err
	}
	revoked(c, tokens.ID(d))
	return nil
}

func revoked(c *gin.Context, jti string) {
	web.JSON(c, http.StatusOK, struct {
		Revoked string `json:"revoked"`
	}{jti})
}

// revokeLongLived ends a partner token or an API key. Its id serves as its jti. ok is
// false if it is none.
func (h Handler) revokeLongLived(ctx context.Context, by audit.Actor, presented, jti string) (id string, ok bool, err error) {
	for _, kind := range []LongLived{h.Partners, h.Keys} {
		if id = jti; jti != "" {
			ok, err = kind.RevokeByID(ctx, by, jti)
		} else {
			_, id, ok, err = kind.RevokePresented(ctx, by, presented)
		}
		if ok || err != nil {
			return id, ok, err
		}
	}
	return "", false, nil
}

// voidAll makes every token that was issued before inactive, in O(1). Once every
// replica knows, it writes into the records that the partner tokens and the API keys
// have ended: the feed forgets it after a day.
func (h Handler) voidAll(c *gin.Context) error {
	ctx, by := c.Request.Context(), admin.ActorOf(c)
	err := h.Feed.Append(ctx,
		store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, By: by.Name},
		store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAllPartnerTokens, By: by.Name},
		store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAllKeys, By: by.Name})
	if err == nil {
		err = errors.Join(h.Feed.Settle(ctx), h.Partners.VoidAll(ctx, by), h.Keys.VoidAll(ctx, by))
	}
	h.Audit.Write(ctx, audit.Change{Actor: by, Action: "token.void_all", Target: store.PrincipalAll, Outcome: audit.OutcomeOf(err)})
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, struct {
		Voided string `json:"voided"`
	}{store.PrincipalAll})
	return nil
}

// revocation returns the audit event of a revocation that ended with err.
func revocation(by audit.Actor, t *store.Token, jti string, err error) audit.Change {
	return audit.Change{
		Actor: by, Action: "token.revoke", Target: "token:" + jti, Outcome: audit.OutcomeOf(err),
		Before: map[string]any{"sub": tokens.Subject(t), "scope": t.Scopes, "exp": t.ExpiresAt},
	}
}
