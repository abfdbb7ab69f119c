package tokenadmin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// MaxScan is the longest text of one request, in bytes.
const MaxScan = 128 << 10

// maxFound is how many credentials one request deals with.
const maxFound = 100

var (
	errLongText  = apierr.New(apierr.InvalidRequest, "text is longer than 131072 bytes: send it in parts").At("text")
	errTextAlone = apierr.New(apierr.InvalidRequest, "send either credential or text; client_id belongs to credential, and check to text")
)

// Scanned is what was found in a text.
type Scanned struct {
	Found []FoundLeak `json:"found"`
	// Next is where the text goes on, in bytes, if it has more credentials than one
	// request deals with.
	Next int `json:"next,omitempty"`
}

// FoundLeak is a part of a text that has the form of a credential.
type FoundLeak struct {
	Masked string `json:"masked"`
	// Recognized: this server made it. Otherwise the rest is absent.
	Recognized bool `json:"recognized"`
	*Leak
}

// scanText finds the credentials in the text, and ends each as reportLeak does,
// unless the request only checks. A credential that is not recognized is not audited.
func (h Handler) scanText(c *gin.Context, body leakBody) error {
	switch {
	case body.Text == nil || body.Credential != "" || body.ClientID != nil:
		return errTextAlone
	case len(*body.Text) > MaxScan:
		return errLongText
	}
	ctx, by := c.Request.Context(), admin.ActorOf(c)
	candidates := credential.Find(*body.Text, h.TokenPrefix)
	out := Scanned{Found: []FoundLeak{}}
	if len(candidates) > maxFound {
		candidates = candidates[:maxFound]
		out.Next = candidates[maxFound-1].End
	}
	values := make([]string, len(candidates))
	for i, x := range candidates {
		values[i] = x.Value
	}
	secrets, err := h.Secrets.FindSecrets(ctx, values...)
	if err != nil {
		return err
	}
	var leaks []*Leak
	for _, value := range values {
		l, err := h.dealWith(ctx, by, value, secrets, body.Check)
		found := FoundLeak{Masked: credential.Mask(value)}
		switch {
		case err == nil:
			found.Recognized, found.Leak = true, &l
			leaks = append(leaks, &l)
		case !errors.Is(err, errNotOurs):
			return err
		}
		out.Found = append(out.Found, found)
	}
	if err := h.addUses(ctx, leaks...); err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, out)
	return nil
}

// dealWith ends one credential of a text, or only says what it is.
// Errors: errNotOurs.
func (h Handler) dealWith(ctx context.Context, by audit.Actor, value string, secrets map[string]secretwatch.Credential, check bool) (Leak, error) {
	if !check {
		l, err := h.endCredential(ctx, by, value, secrets)
		if !errors.Is(err, errNotOurs) {
			h.auditLeak(ctx, by, l, nil, err)
		}
		return l, err
	}
	if secret, ok := secrets[value]; ok {
		l := leakOfSecret(secret)
		l.Ended = l.AlreadyEnded
		return l, nil
	}
	x, err := h.Tokens.Explain(ctx, value)
	if err != nil {
		return Leak{}, err
	}
	switch x.State {
	case tokens.StateActive, tokens.StateExpired, tokens.StateRevoked, tokens.StateVoid, tokens.StateHeldBack, tokens.StateLost, tokens.StateUnreadableRecord:
	default:
		return Leak{}, errNotOurs
	}
	l := leakOfToken(&x).endedBefore(x)
	l.Ended = l.AlreadyEnded
	return l, nil
}

// leakOfToken returns what is known of a token before it is ended.
func leakOfToken(x *tokens.Explanation) Leak {
	l := Leak{Kind: kindToken, ClientID: x.ClientID, PartnerID: x.PartnerID, TokenID: x.ID}
	switch {
	case x.Use == store.UseKey:
		l.Kind, l.OrgID, l.KeyID, l.KeyOwner, l.KeyName, l.TokenID = kindKey, x.OrgID, x.ID, x.KeyOwner, x.KeyName, ""
	case credential.IsID(x.ID):
		l.Kind, l.PartnerTokenID, l.TokenID = kindPartnerToken, x.ID, ""
	}
	return l
}
