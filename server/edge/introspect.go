package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/web"
)

// Guard is what this package needs of guard.Guard.
type Guard interface {
	Introspect(ctx context.Context, token string, source netip.Addr) (*guard.Token, error)
	State() guard.State
	Registration() (guard.Registration, bool)
	Close() error
}

// Results of an introspection, for the metrics.
const (
	resultActive      = "active"
	resultInactive    = "inactive"
	resultUnavailable = "unavailable"
)

var (
	errFollow      = apierr.New(apierr.InvalidRequest, "follow is for the server: this process follows revocations itself, so leave it out and ask each time")
	errUnavailable = apierr.New(apierr.Unavailable, "the token cannot be checked at the moment; try again")
)

// introspect serves POST /oauth/introspect (RFC 7662) as the server does, from the cache
// of the guard. It does not sign (RFC 9701): a caller that asks for a signed response
// gets JSON, as from a server without signing keys.
func (e *Edge) introspect(c *gin.Context) error {
	asked, err := oauth.ReadIntrospection(c)
	if err != nil {
		return err
	}
	if asked.Follow {
		return errFollow
	}
	if err := e.callers.authenticate(c, asked.Caller, e.self); err != nil {
		return err
	}
	source, err := asked.Source()
	if err != nil {
		return err
	}
	token, err := e.find(c.Request.Context(), asked.Token, source)
	if err != nil {
		return err
	}
	ev := web.EventOf(c)
	ev.Verdict, ev.TokenID = web.Inactive, token.JTI
	if token.Active {
		ev.Verdict = web.Active
	}
	raw := token.Raw
	if e.settings.OmitTokenUse && token.Active {
		if raw, err = withoutTokenUse(raw); err != nil {
			return err
		}
	}
	body := web.NewBody()
	body.B = append(body.B, raw...)
	web.Send(c, http.StatusOK, body)
	return nil
}

// withoutTokenUse returns the response without its member token_use. The other members
// may change their order.
func withoutTokenUse(raw []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	delete(members, "token_use")
	return json.Marshal(members)
}

// find returns the token, active or not. Errors: apierr.Unavailable.
func (e *Edge) find(ctx context.Context, token string, source netip.Addr) (*guard.Token, error) {
	found, err := e.guard.Introspect(ctx, token, source)
	switch {
	case err != nil:
		e.metrics.CountIntrospected(resultUnavailable)
		return nil, asUnavailable(err)
	case found.Active:
		e.metrics.CountIntrospected(resultActive)
	default:
		e.metrics.CountIntrospected(resultInactive)
	}
	return found, nil
}

// asUnavailable returns an error of the guard for the caller: whatever is wrong, nobody
// knows whether the token is active.
func asUnavailable(err error) error {
	if r, ok := errors.AsType[*guard.Refusal](err); ok {
		return errUnavailable.After(r.RetryAfter).Because(err)
	}
	return errUnavailable.Because(err)
}

// finder finds tokens for the gateway.
type finder struct{ edge *Edge }

// Find implements gateway.Tokens.
func (f finder) Find(ctx context.Context, token string, from netip.Addr) (gateway.Token, error) {
	t, err := f.edge.find(ctx, token, from)
	if err != nil || !t.Active {
		return gateway.Token{}, err
	}
	return gateway.Token{
		Active: true, Bound: t.Bound, ID: t.JTI, Use: t.Use, Subject: t.Subject, ClientID: t.ClientID, CustomerID: t.CustomerID, OrgID: t.OrgID, PartnerID: t.PartnerID,
		Scope: scopes.Join(t.Scopes), SourceIPs: t.SourceIPs, Endpoints: t.Endpoints, Resources: len(t.Resources) > 0,
	}, nil
}
