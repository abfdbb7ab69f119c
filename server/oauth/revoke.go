package oauth

import (
	"errors"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
)

var revokeSpec = web.Spec{Params: withClientAuth(
	web.Param{Name: paramToken, Kind: web.Opaque},
	web.Param{Name: paramTokenHint, Kind: web.Opaque}, // ignored: one lookup finds every kind (RFC 7009 §2.1)
)}

var (
	errOtherClients = apierr.New(apierr.UnauthorizedClient, "the token was not issued to this client")
	errRevokeQuota  = apierr.New(apierr.TooManyRequests, "this client has revoked more tokens than its quota: the token has not ended; wait as long as Retry-After says").Because(refusal.RevocationQuota)
)

// takeRevocation counts a revocation of the owner. Errors: apierr.TooManyRequests.
func (e *Endpoints) takeRevocation(owner string) error {
	if wait := e.o.Revokes.TakeToken(owner); wait > 0 {
		return errRevokeQuota.After(wait)
	}
	return nil
}

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
	presented := readClientAuth(c, p)
	if bearer, ok := presented.Bearer(); ok {
		return e.revokeSelf(c, presented, bearer, token)
	}
	id, err := e.authenticate(c, presented)
	if err != nil {
		return err
	}
	t, err := e.o.Tokens.RevokeOwn(c.Request.Context(), token, id.Client.ID, e.takeRevocation)
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
