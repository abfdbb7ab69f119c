package tokenadmin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Secrets finds and ends client secrets.
type Secrets interface {
	// FindSecrets returns the generated secrets, live or ended, among the plain
	// values, by their value.
	FindSecrets(ctx context.Context, plain ...string) (map[string]secretwatch.Credential, error)
	// FindImported returns the imported secrets of the client that plain matches.
	// It takes long. Errors: apierr.NotFound: no such client.
	FindImported(ctx context.Context, clientID, plain string) ([]secretwatch.Credential, error)
	// VoidSecret ends the secret with all that it made, and returns the ids of the API
	// keys among that.
	VoidSecret(ctx context.Context, by audit.Actor, clientID, secretID string) (keys []string, err error)
}

// Leak is what a leaked credential was, and that it has ended.
type Leak struct {
	Kind     string `json:"kind"` // client_secret, partner_token, api_key or token
	ClientID string `json:"client_id,omitempty"`
	SecretID string `json:"secret_id,omitempty"`
	// SecretIDs has all secrets, the one in SecretID first, if several imported
	// ones are the same.
	SecretIDs      []string `json:"secret_ids,omitempty"`
	PartnerID      string   `json:"partner_id,omitempty"`
	PartnerTokenID string   `json:"partner_token_id,omitempty"`
	OrgID          string   `json:"org_id,omitempty"` // of an API key
	KeyID          string   `json:"key_id,omitempty"`
	KeyOwner       string   `json:"key_owner,omitempty"`
	KeyName        string   `json:"key_name,omitempty"`
	TokenID        string   `json:"jti,omitempty"`
	Ended          bool     `json:"ended"`
	// KeysEnded are the ids of the API keys that were made with the secret or the token,
	// and that worked until this report.
	KeysEnded []string `json:"keys_ended,omitempty"`
	// AlreadyEnded: it had ended before, at EndedAt by the actor EndedBy, as far as
	// that is known.
	AlreadyEnded bool       `json:"already_ended,omitempty"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`
	EndedBy      string     `json:"ended_by,omitempty"`
	// Use is the last use of a secret or a partner token, some seconds behind.
	Use *lastuse.View `json:"last_use,omitempty"`
	// Issues are the latest events of the audit about tokens made with it, newest
	// first: from where it was used.
	Issues []Issue `json:"issues,omitempty"`
}

var (
	errNoCredential = apierr.New(apierr.InvalidRequest, "credential is missing: the token or secret that was found").At("credential")
	errNotOurs      = apierr.New(apierr.NotFound, "not a live credential of this server: made up, damaged in copying, expired, of another environment, of an org, a client or a partner that was deleted, "+
		"or an imported secret, which is recognized only if you name its client (grantd leak --client ID; in the API client_id)")
	errNotOfClient = apierr.New(apierr.NotFound, "neither a live credential of this server nor an imported secret of this client")
	errLeakClient  = apierr.New(apierr.InvalidRequest, "client_id must be the id of the client whose secret may have leaked").At("client_id")
	errSeveral     = apierr.New(apierr.InvalidRequest, "credential has several credentials in it: send one, or send all as text (grantd leak --scan)").At("credential")
)

// leakBody is the body of a report.
type leakBody struct {
	Credential string  `json:"credential"`
	ClientID   *string `json:"client_id"` // of which client it may be an imported secret
	// Text may have any number of credentials in it; instead of the others.
	Text *string `json:"text"`
	// Check: only say what is found in Text.
	Check bool `json:"check"`
}

// reportLeak ends a credential that was found where it should not be, with all
// that it made.
func (h Handler) reportLeak(c *gin.Context) error {
	var body leakBody
	if err := web.ReadJSON(c, &body, false); err != nil {
		return err
	}
	if body.Text != nil || body.Check {
		return h.scanText(c, body)
	}
	if body.Credential == "" || len(body.Credential) > maxCredential {
		return errNoCredential
	}
	if body.ClientID != nil && !field.ValidClientID(*body.ClientID) {
		return errLeakClient
	}
	ctx, by := c.Request.Context(), admin.ActorOf(c)
	inside := credential.Find(body.Credential, h.TokenPrefix)
	if len(inside) > 1 {
		return errSeveral
	}
	l, err := h.endCredential(ctx, by, body.Credential, nil)
	if errors.Is(err, errNotOurs) && len(inside) == 1 && inside[0].Value != body.Credential { // something is around it
		l, err = h.endCredential(ctx, by, inside[0].Value, nil)
	}
	if errors.Is(err, errNotOurs) && body.ClientID != nil {
		l, err = h.endImported(ctx, by, *body.ClientID, body.Credential)
	}
	h.auditLeak(ctx, by, l, body.ClientID, err)
	if err != nil {
		return err
	}
	if err := h.addUses(ctx, &l); err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, l)
	return nil
}

// auditLeak writes the audit event of a report that ended with err.
func (h Handler) auditLeak(ctx context.Context, by audit.Actor, l Leak, clientID *string, err error) {
	change := audit.Change{Actor: by, Action: "leak.report", Target: l.target(), After: l, Outcome: audit.OutcomeOf(err)}
	if err != nil {
		change.After = nil
		if change.Target == "" && clientID != nil {
			change.Target = store.PrincipalClient(*clientID)
		}
	}
	h.Audit.Write(ctx, change)
}

// Names returns the id of the credential; "" if l is nil.
func (l *Leak) Names() string {
	if l == nil {
		return ""
	}
	return cmp.Or(l.SecretID, l.PartnerTokenID, l.KeyID, l.TokenID)
}

// target returns what the audit event is about.
func (l Leak) target() string {
	switch {
	case l.SecretID != "":
		return store.PrincipalSecret(l.ClientID, l.SecretID)
	case l.PartnerTokenID != "":
		return store.PrincipalPartnerToken(l.PartnerTokenID)
	case l.KeyID != "":
		return store.PrincipalKey(l.KeyID)
	case l.TokenID != "":
		return "token:" + l.TokenID
	}
	return ""
}

// endCredential finds out what the credential is and ends it. A client secret,
// a partner token and an API key can be told by their form; everything else can only
// be a token. known has the secrets that were looked up already; nil: none were.
func (h Handler) endCredential(ctx context.Context, by audit.Actor, presented string, known map[string]secretwatch.Credential) (l Leak, err error) {
	if known == nil {
		if known, err = h.Secrets.FindSecrets(ctx, presented); err != nil {
			return Leak{}, err
		}
	}
	if secret, ok := known[presented]; ok {
		l = leakOfSecret(secret)
		l.KeysEnded, err = h.Secrets.VoidSecret(ctx, by, l.ClientID, l.SecretID)
		l.Ended = err == nil
		return l, err
	}
	x, err := h.Tokens.Explain(ctx, presented) // before it ends
	if err != nil {
		return Leak{}, err
	}
	partner, id, ok, err := h.Partners.RevokePresented(ctx, by, presented)
	if ok || err != nil {
		return Leak{Kind: kindPartnerToken, PartnerID: partner, PartnerTokenID: id, Ended: err == nil}.endedBefore(x), err
	}
	org, id, ok, err := h.Keys.RevokePresented(ctx, by, presented)
	if ok || err != nil {
		return Leak{Kind: kindKey, OrgID: org, KeyID: id, KeyOwner: x.KeyOwner, KeyName: x.KeyName, Ended: err == nil}.endedBefore(x), err
	}
	d := tokens.DigestOf(presented)
	t, err := h.Tokens.RevokePresented(ctx, presented, by.Name)
	gone := errors.Is(err, store.ErrNotFound)
	if gone && x.State != tokens.StateExpired && x.State != tokens.StateLost {
		return Leak{}, errNotOurs
	}
	l = Leak{Kind: kindToken, ClientID: t.ClientID, PartnerID: t.PartnerID, TokenID: tokens.ID(d)}
	if gone { // it expired so long ago that only API keys can be left of it
		l.KeysEnded, err = h.Keys.EndMadeWith(ctx, by, x.OrgID, store.KeyOrigin{TokenID: l.TokenID})
		if l.Ended = err == nil; l.Ended && len(l.KeysEnded) == 0 {
			return Leak{}, errNotOurs
		}
		return l.endedBefore(x), err
	}
	if err == nil {
		err = h.Feed.Settle(ctx) // before the keys are looked for: no replica must make another one
	}
	// Without a record nobody knows the org: the keys of all orgs are looked through.
	if org := cmp.Or(t.OrgID, x.OrgID); err == nil && (org != "" || t.ClientID == "") {
		l.KeysEnded, err = h.Keys.EndMadeWith(ctx, by, org, store.KeyOrigin{TokenID: l.TokenID})
	}
	l.Ended = err == nil
	return l.endedBefore(x), err
}

// The kinds of leaked credentials.
const (
	kindSecret       = "client_secret"
	kindPartnerToken = "partner_token"
	kindKey          = "api_key"
	kindToken        = "token"
)

// leakOfSecret returns what is known of a secret before it is ended now.
func leakOfSecret(secret secretwatch.Credential) Leak {
	_, client := store.OwnerOf(secret.Owner)
	l := Leak{Kind: kindSecret, ClientID: client, SecretID: secret.ID}
	end := secret.EndedAt
	if secret.State == secretwatch.Expired {
		end = secret.ExpiresAt
	}
	if secret.State == secretwatch.Ended || secret.State == secretwatch.Expired {
		l.AlreadyEnded, l.EndedBy = true, secret.EndedBy
		if !end.IsZero() {
			l.EndedAt = &end
		}
	}
	return l
}

// endedBefore returns the leak with the end that the token had before the report.
func (l Leak) endedBefore(x tokens.Explanation) Leak {
	switch x.State {
	case tokens.StateRevoked, tokens.StateVoid:
		l.AlreadyEnded, l.EndedAt, l.EndedBy = true, x.EndedAt, x.EndedBy
	case tokens.StateExpired:
		l.AlreadyEnded, l.EndedAt = true, x.ExpiresAt
	}
	return l
}

// endImported ends the imported secrets of the client that the credential
// matches. If that fails, the Leak names no secret: some may have ended.
func (h Handler) endImported(ctx context.Context, by audit.Actor, clientID, presented string) (Leak, error) {
	found, err := h.Secrets.FindImported(ctx, clientID, presented)
	if err == nil && len(found) == 0 {
		err = errNotOfClient
	}
	if err != nil {
		return Leak{}, err
	}
	l := leakOfSecret(found[0])
	var ids []string
	for _, secret := range found {
		keys, err := h.Secrets.VoidSecret(ctx, by, clientID, secret.ID)
		if err != nil {
			return Leak{}, err
		}
		l.KeysEnded = append(l.KeysEnded, keys...)
		ids = append(ids, secret.ID)
	}
	l.Ended = true
	if len(ids) > 1 {
		l.SecretIDs = ids
	}
	return l, nil
}
