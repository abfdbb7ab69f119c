package oauth

import (
	"context"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/store"
)

// Follower is a resource server that follows revocations, with what it authenticated
// with.
type Follower struct {
	Client *store.Client // shared: must not be changed
	Proof  auth.Proof    // if it sent its secret
	Token  *store.Token  // its bearer token; nil: it sent its secret. Shared.
	Digest store.Digest  // of the token
}

// Follower returns the calling client, which must be allowed to introspect. It
// authenticates as for introspection, with the Authorization header.
func (e *Endpoints) Follower(c *gin.Context) (Follower, error) {
	presented := auth.Presented{Authorization: c.Request.Header["Authorization"]}
	if bearer, ok := presented.Bearer(); ok {
		rs, found, err := e.bearerHolder(c, bearer)
		return Follower{Client: rs, Token: found.Token, Digest: found.Digest}, err
	}
	id, err := e.authenticate(c, presented)
	if err != nil {
		return Follower{}, err
	}
	if !slices.Contains(id.Client.Scopes, scopes.Introspect) {
		return Follower{}, errNotRS
	}
	return Follower{Client: id.Client, Proof: auth.Proof{ClientID: id.Client.ID, SecretID: id.SecretID, Method: auth.MethodBasic}}, nil
}

// Recheck returns the client of the follower as it is now, and when the credential
// expires by itself (zero: it does not). The client is nil if the credential has ended,
// or no longer gives the right to follow. Errors: store.ErrUnavailable, feed.ErrStale.
func (e *Endpoints) Recheck(ctx context.Context, f Follower) (client *store.Client, ends time.Time, err error) {
	if f.Token != nil {
		return e.recheckBearer(ctx, f)
	}
	client, ends, err = e.o.Auth.Recheck(ctx, f.Proof)
	if err != nil || client == nil || !slices.Contains(client.Scopes, scopes.Introspect) {
		return nil, ends, err
	}
	return client, ends, nil
}

func (e *Endpoints) recheckBearer(ctx context.Context, f Follower) (client *store.Client, ends time.Time, err error) {
	active, err := e.o.Tokens.StillActive(ctx, f.Digest, f.Token)
	if err != nil || !active {
		return nil, f.Token.ExpiresAt, err
	}
	found, err := e.o.Clients.Get(ctx, f.Token.ClientID)
	if err != nil || found.Record == nil || !found.Record.Usable() {
		return nil, f.Token.ExpiresAt, err
	}
	return found.Record, f.Token.ExpiresAt, nil
}
