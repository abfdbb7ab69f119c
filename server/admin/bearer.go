package admin

import (
	"context"
	"net/netip"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// tokenFinder finds the token of a caller; see tokens.Service.
type tokenFinder interface {
	FindBearer(ctx context.Context, presented string, from netip.Addr, uses ...store.TokenUse) (tokens.Found, error)
}

var (
	errNoBearer = apierr.New(apierr.NoToken, "the admin API needs Authorization: Bearer with a token that has the scope admin:read or admin:write")
	errBearer   = apierr.New(apierr.InvalidToken, "the bearer token is not active, is not for this server, or is not one of a client")
	errScope    = apierr.New(apierr.InsufficientScope, "the bearer token lacks the scope for this")
)

// ByBearer authorizes client tokens of grantd: admin:read may read, admin:write
// may do everything.
func ByBearer(find tokenFinder) Authorizer {
	return func(c *gin.Context, reads bool) (string, error) {
		p := auth.Presented{Authorization: c.Request.Header.Values("Authorization")}
		presented, ok := p.Bearer()
		if !ok || presented == "" {
			return "", errNoBearer
		}
		found, err := find.FindBearer(c.Request.Context(), presented, web.Address(c), store.UseClient)
		if err != nil {
			return "", err
		}
		t := found.Token
		if t == nil {
			web.EventOf(c).NoteEnd(found.ID(), found.End.VoidOf, found.End.At)
			return "", errBearer.Because(found.End.Cause)
		}
		if scopes.Holds(t.Scopes, scopes.AdminWrite) || reads && scopes.Holds(t.Scopes, scopes.AdminRead) {
			return store.PrincipalClient(t.ClientID), nil
		}
		needs := *errScope
		needs.Scope = scopes.AdminWrite
		if reads {
			needs.Scope = scopes.AdminRead
		}
		return "", &needs
	}
}
