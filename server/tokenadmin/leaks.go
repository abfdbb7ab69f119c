package tokenadmin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Secrets finds and ends client secrets.
type Secrets interface {
	// FindSecret returns the client and the id of a generated secret.
	// Errors: apierr.NotFound.
	FindSecret(ctx context.Context, plain string) (clientID, secretID string, err error)
	// FindImported returns the ids of the imported secrets of the client that
	// plain matches. It takes long. Errors: apierr.NotFound: no such client.
	FindImported(ctx context.Context, clientID, plain string) (secretIDs []string, err error)
	EndSecret(ctx context.Context, by audit.Actor, clientID, secretID string, void bool) error
}

// Leak is what a leaked credential was, and that it has ended.
type Leak struct {
	Kind     string `json:"kind"` // client_secret, partner_token or token
	ClientID string `json:"client_id,omitempty"`
	SecretID string `json:"secret_id,omitempty"`
	// SecretIDs has all secrets, the one in SecretID first, if several imported
	// ones are the same.
	SecretIDs      []string `json:"secret_ids,omitempty"`
	PartnerID      string   `json:"partner_id,omitempty"`
	PartnerTokenID string   `json:"partner_token_id,omitempty"`
	TokenID        string   `json:"jti,omitempty"`
	Ended          bool     `json:"ended"`
}

var (
	errNoCredential = apierr.New(apierr.InvalidRequest, "credential is missing: the token or secret that was found").At("credential")
	errNotOurs      = apierr.New(apierr.NotFound, "not a live credential of this server: made up, damaged in copying, expired, of another environment, "+
		"or an imported secret, which is recognized only if you name its client (grantd leak --client ID; in the API client_id)")
	errNotOfClient = apierr.New(apierr.NotFound, "neither a live credential of this server nor an imported secret of this client")
	errLeakClient  = apierr.New(apierr.InvalidRequest, "client_id must be the id of the client whose secret may have leaked").At("client_id")
)

// reportLeak ends a credential that was found where it should not be, with all
// that it made.
func (h Handler) reportLeak(c *gin.Context) error {
	var body struct {
		Credential string  `json:"credential"`
		ClientID   *string `json:"client_id"` // of which client it may be an imported secret
	}
	if err := web.ReadJSON(c, &body, false); err != nil {
		return err
	}
	if body.Credential == "" || len(body.Credential) > maxCredential {
		return errNoCredential
	}
	if body.ClientID != nil && !field.ValidClientID(*body.ClientID) {
		return errLeakClient
	}
	by := admin.ActorOf(c)
	l, err := h.endCredential(c.Request.Context(), by, body.Credential)
	if errors.Is(err, errNotOurs) && body.ClientID != nil {
		l, err = h.endImported(c.Request.Context(), by, *body.ClientID, body.Credential)
	}
	change := audit.Change{Actor: by, Action: "leak.report", Target: l.target(), After: l, Outcome: audit.OutcomeOf(err)}
	if err != nil {
		change.After = nil
		if change.Target == "" && body.ClientID != nil {
			change.Target = store.PrincipalClient(*body.ClientID)
		}
	}
	h.Audit.Write(c.Request.Context(), change)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, l)
	return nil
}

// target returns what the audit event is about.
func (l Leak) target() string {
	switch {
	case l.SecretID != "":
		return store.PrincipalSecret(l.ClientID, l.SecretID)
	case l.PartnerTokenID != "":
		return store.PrincipalPartnerToken(l.PartnerTokenID)
	case l.TokenID != "":
		return "token:" + l.TokenID
	}
	return ""
}

// endCredential finds out what the credential is and ends it. A client secret
// and a partner token can be told by their form; everything else can only be a
// token.
func (h Handler) endCredential(ctx context.Context, by audit.Actor, credential string) (Leak, error) {
	client, secret, err := h.Secrets.FindSecret(ctx, credential)
	if err == nil {
		l := Leak{Kind: "client_secret", ClientID: client, SecretID: secret}
		err = h.Secrets.EndSecret(ctx, by, client, secret, true)
		l.Ended = err == nil
		return l, err
	}
	var e *apierr.Error
	if !errors.As(err, &e) || e.Code != apierr.NotFound {
		return Leak{}, err
	}
	partner, id, ok, err := h.Partners.RevokePresented(ctx, by, credential)
	if ok || err != nil {
		return Leak{Kind: "partner_token", PartnerID: partner, PartnerTokenID: id, Ended: err == nil}, err
	}
	d := tokens.DigestOf(credential)
	t, err := h.Tokens.RevokePresented(ctx, credential, by.Name)
	if errors.Is(err, store.ErrNotFound) {
		return Leak{}, errNotOurs
	}
	l := Leak{Kind: "token", ClientID: t.ClientID, PartnerID: t.PartnerID, TokenID: tokens.ID(d)}
	if err == nil {
		err = h.Feed.Settle(ctx)
	}
	l.Ended = err == nil
	return l, err
}

// endImported ends the imported secrets of the client that the credential
// matches. If that fails, the Leak names no secret: some may have ended.
func (h Handler) endImported(ctx context.Context, by audit.Actor, clientID, credential string) (Leak, error) {
	ids, err := h.Secrets.FindImported(ctx, clientID, credential)
	if err == nil && len(ids) == 0 {
		err = errNotOfClient
	}
	if err != nil {
		return Leak{}, err
	}
	for _, id := range ids {
		if err := h.Secrets.EndSecret(ctx, by, clientID, id, true); err != nil {
			return Leak{}, err
		}
	}
	l := Leak{Kind: "client_secret", ClientID: clientID, SecretID: ids[0], Ended: true}
	if len(ids) > 1 {
		l.SecretIDs = ids
	}
	return l, nil
}
