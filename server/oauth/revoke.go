package oauth

import (
	"errors"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
)

var revokeSpec = web.Spec{Params: withClientAuth(
	web.Param{Name: paramToken, Kind: web.Opaque},
	web.Param{Name: paramTokenHint, Kind: web.Opaque}, // ignored: one lookup finds every kind (RFC 7009 §2.1)
)}

var errOtherClients = apierr.New(apierr.UnauthorizedClient, "the token was not issued to this client")

// Revoke serves POST /oauth/revoke.
func (e *Endpoints) Revoke(c *gin.Context) error {
	p, err := web.ReadParams(c, &revokeSpec)
	if err != nil {
		return err
	}
	token := p.Get(paramToken)
	if token == "" {
		return errNoToken
	}
	id, err := e.authenticate(c, readClientAuth(c, p))
	if err != nil {
		return err
	}
	t, err := e.o.Tokens.RevokeOwn(c.Request.Context(), token, id.Client.ID)
	if errors.Is(err, tokens.ErrNotYours) {
		return errOtherClients
	}
	if t != nil {
		ev := web.EventOf(c)
		ev.TokenID = tokens.ID(tokens.DigestOf(token))
		e.o.Audit.Revoked(id.Client.ID, ev.TokenID, web.Address(c), err)
	}
	if err != nil {
		return err
	}
	web.JSON(c, 200, struct{}{})
	return nil
}
