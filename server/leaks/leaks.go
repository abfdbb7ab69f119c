// Package leaks is the feature "somebody found one of our credentials": a
// leaked token or secret is recognised, ended with all that it minted, and
// audited (contract §4).
package leaks

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Secrets finds and ends client secrets.
type Secrets interface {
	// FindSecret answers whose generated secret this is.
	// Errors: apierr.NotFound.
	FindSecret(ctx context.Context, plain string) (clientID, secretID string, err error)
	EndSecret(ctx context.Context, by audit.Actor, clientID, secretID string, void bool) error
}

// Partners ends partner tokens.
type Partners interface {
	RevokePresented(ctx context.Context, by audit.Actor, presented string) (partnerID, tokenID string, ok bool, err error)
}

// Handler answers POST /leaks.
type Handler struct {
	Secrets  Secrets
	Partners Partners
	Tokens   *tokens.Service
	Feed     *feed.Feed
	Audit    *audit.Log
}

// Routes are the endpoints.
func (h Handler) Routes() []admin.Route {
	return []admin.Route{{Method: http.MethodPost, Path: "/leaks", Handle: h.report}}
}

// Result is what a leaked credential was, and that it is ended.
type Result struct {
	Kind           string `json:"kind"` // client_secret, partner_token or token
	ClientID       string `json:"client_id,omitempty"`
	SecretID       string `json:"secret_id,omitempty"`
	PartnerID      string `json:"partner_id,omitempty"`
	PartnerTokenID string `json:"partner_token_id,omitempty"`
	TokenID        string `json:"jti,omitempty"`
	Ended          bool   `json:"ended"`
}

const maxCredential = 4096

var (
	errMissing = apierr.New(apierr.InvalidRequest, "credential is missing: the token or secret that was found").At("credential")
	errUnknown = apierr.New(apierr.NotFound, "not a live credential of this server: made up, damaged in copying, expired, or of another environment")
)

func (h Handler) report(c *gin.Context) error {
	var body struct {
		Credential string `json:"credential"`
	}
	if err := web.ReadJSON(c, &body, false); err != nil {
		return err
	}
	if body.Credential == "" || len(body.Credential) > maxCredential {
		return errMissing
	}
	by := admin.ActorOf(c)
	r, err := h.end(c.Request.Context(), by, body.Credential)
	change := audit.Change{Actor: by, Action: "leak.report", Target: r.target(), After: r, Outcome: audit.OutcomeOf(err)}
	if err != nil {
		change.After = nil
	}
	h.Audit.Write(c.Request.Context(), change)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, r)
	return nil
}

func (r Result) target() string {
	switch {
	case r.SecretID != "":
		return store.PrincipalSecret(r.ClientID, r.SecretID)
	case r.PartnerTokenID != "":
		return store.PrincipalPartnerToken(r.PartnerTokenID)
	case r.TokenID != "":
		return "token:" + r.TokenID
	}
	return ""
}

// end tries what the credential can be: a secret and a partner token name
// themselves, everything else can only be a token.
func (h Handler) end(ctx context.Context, by audit.Actor, credential string) (Result, error) {
	client, secret, err := h.Secrets.FindSecret(ctx, credential)
	if err == nil {
		r := Result{Kind: "client_secret", ClientID: client, SecretID: secret}
		err = h.Secrets.EndSecret(ctx, by, client, secret, true)
		r.Ended = err == nil
		return r, err
	}
	var f *apierr.Error
	if !errors.As(err, &f) || f.Code != apierr.NotFound {
		return Result{}, err
	}
	partner, id, ok, err := h.Partners.RevokePresented(ctx, by, credential)
	if ok || err != nil {
		return Result{Kind: "partner_token", PartnerID: partner, PartnerTokenID: id, Ended: err == nil}, err
	}
	d := tokens.DigestOf(credential)
	t, err := h.Tokens.RevokePresented(ctx, credential, by.Name)
	if errors.Is(err, store.ErrNotFound) {
		return Result{}, errUnknown
	}
	r := Result{Kind: "token", ClientID: t.ClientID, PartnerID: t.PartnerID, TokenID: tokens.ID(d)}
	if err == nil {
		err = h.Feed.Settle(ctx)
	}
	r.Ended = err == nil
	return r, err
}
