package oauth

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Records ends long-lived credentials of one kind, which are kept in records and not
// as tokens, such as partner tokens.
type Records interface {
	// RevokeSelf ends the credential for its holder, who presented it. caller has
	// the address and the id of the request; the holder is its name. id is that of the
	// credential, for the log. ok is false if there is no such credential of this
	// kind. It is not an error if the credential has ended already; then nothing is
	// written. Errors: store.ErrUnavailable.
	RevokeSelf(ctx context.Context, presented string, caller audit.Actor) (id string, ok bool, err error)
}

var (
	errNotSelf   = apierr.New(apierr.InvalidToken, "a bearer token ends only itself: send it as token too; to end other tokens, send client credentials").Because(refusal.OtherToken)
	errSelfQuota = apierr.New(apierr.TooManyRequests, "more tokens were ended than the quota allows: this token has not ended; wait as long as Retry-After says").Because(refusal.RevocationQuota)
)

// revokeSelf ends the token for its holder, who sent it as bearer token instead of
// client credentials. The response is the same for a token that is unknown, made up or
// has ended: the holder wants it to be of no use, and it is (RFC 7009 §2.2).
func (e *Endpoints) revokeSelf(c *gin.Context, presented auth.Presented, bearer, token string) error {
	switch {
	case presented.ClientSecret != "" || presented.Assertion != "" || presented.AssertionType != "":
		return errBearerAndID
	case bearer != token:
		return errNotSelf
	}
	ev, ctx := web.EventOf(c), c.Request.Context()
	ended, err := e.revokeRecord(c, token)
	if err != nil {
		return err
	}
	if !ended {
		t, err := e.o.Tokens.RevokeSelf(ctx, token, e.takeSelf)
		if t != nil {
			ev.TokenID, ev.ClientID, ev.PartnerID = tokens.ID(tokens.DigestOf(token)), t.ClientID, t.PartnerID
			e.o.Audit.Revoked(tokens.Holder(t), ev.TokenID, web.Address(c), err)
		}
		if err != nil {
			return err
		}
	}
	web.JSON(c, 200, struct{}{})
	return nil
}

// revokeRecord ends the credential that the token is, if it is kept in a record.
func (e *Endpoints) revokeRecord(c *gin.Context, token string) (ended bool, err error) {
	ev := web.EventOf(c)
	caller := audit.Actor{Address: web.AddressString(c), RequestID: ev.RequestID}
	for _, kind := range e.o.Records {
		id, ok, err := kind.RevokeSelf(c.Request.Context(), token, caller)
		if ok || err != nil {
			ev.TokenID = id
			return true, err
		}
	}
	return false, nil
}

// takeSelf counts that the holder of a token ends it. A client's own tokens count
// together with those that it revokes with its secret. Errors: apierr.TooManyRequests.
func (e *Endpoints) takeSelf(holder string) error {
	if kind, id := store.OwnerOf(holder); kind == store.OwnerClient {
		holder = id
	}
	if wait := e.o.Revokes.TakeToken(holder); wait > 0 {
		return errSelfQuota.After(wait)
	}
	return nil
}
