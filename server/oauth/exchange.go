package oauth

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
)

// typeAccessToken is the only type of token that is exchanged and issued
// (RFC 8693 §3).
const typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"

// audienceOrg is the prefix of an audience that names the org to act for.
const audienceOrg = "org:"

var (
	errNoSubject     = apierr.New(apierr.InvalidRequest, "subject_token is missing: the partner token")
	errSubjectType   = apierr.New(apierr.InvalidRequest, "subject_token_type must be "+typeAccessToken)
	errRequestedType = apierr.New(apierr.InvalidRequest, "requested_token_type must be "+typeAccessToken+" or absent")
	errActor         = apierr.New(apierr.InvalidRequest, "actor_token is not supported: the partner of the subject token is the actor")
	errNoClient      = apierr.New(apierr.InvalidClient, "send no client credentials with a token exchange: the subject token authenticates the partner")
	errSubject       = apierr.New(apierr.InvalidRequest, "subject_token is not an active partner token, or is not allowed from this address")
	errAudience      = apierr.New(apierr.InvalidRequest, "audience is missing: org: and the id of the org to act for")
	errOrg           = apierr.New(apierr.InvalidTarget, "audience must be one org that has agreed that the partner acts for it, as org: and its id; resource is not supported")
	errNotGranted    = apierr.New(apierr.InvalidScope, "scope holds a name that does more than read, that the org did not grant, or that the operator no longer allows you; or the org granted none that you may still have")
)

// OnBehalf makes tokens on behalf of orgs for partners; server/partners
// implements it.
type OnBehalf interface {
	// Authenticate returns the active partner token that was presented from the
	// address. If it returns an error, the token has only what the log may show
	// about a refused token. Errors: apierr.ErrPartnerToken,
	// store.ErrUnavailable.
	Authenticate(ctx context.Context, presented string, from netip.Addr) (tokens.Found, error)
	// Exchange makes a token on behalf of the org, with the given scopes. If
	// there are none, the token has all scopes that the org granted. Errors:
	// apierr.ErrNotAgreed, ErrNotGranted, TooManyRequests; those of
	// scopes.Parse; store.ErrUnavailable.
	Exchange(ctx context.Context, partner tokens.Found, org, scope string) (tokens.IssuedToken, error)
}

// exchange serves a token exchange (RFC 8693): a partner gets a token on behalf
// of an org for its partner token. The partner is not a client: its token alone
// authenticates it.
func (e *Endpoints) exchange(c *gin.Context, p web.Params) error {
	if err := checkExchange(c, p); err != nil {
		return err
	}
	targets := p.All(paramAudience)
	if len(targets) == 0 {
		return errAudience
	}
	org, ok := strings.CutPrefix(targets[0], audienceOrg)
	if !ok || len(targets) > 1 || len(p.All(paramResource)) > 0 {
		org = "" // no org has this id: it is refused like an unknown one, once the partner is authenticated
	}
	bearer, err := e.authenticatePartner(c, p.Get(paramSubjectToken))
	if err != nil {
		return exchangeError(err)
	}
	ev := web.EventOf(c)
	if field.ValidID(org) { // the log must not keep anything else that a caller sends here
		ev.OrgID = org
	}
	issued, err := e.o.OnBehalf.Exchange(c.Request.Context(), bearer, org, p.Get(paramScope))
	if err != nil {
		e.noteScope(ev, p.Get(paramScope), nil, err)
		return exchangeError(err)
	}
	e.o.Issues.RecordPartnerIssue(bearer.Token.PartnerID, bearer.Token.PartnerTID, org, web.Address(c))
	ev.TokenID = tokens.ID(issued.Digest)
	sendTokenResponse(c, &issued, true)
	return nil
}

// checkExchange checks the parameters of an exchange, except for its audience
// and scope.
func checkExchange(c *gin.Context, p web.Params) error {
	client := readClientAuth(c, p)
	switch {
	case p.Get(paramSubjectToken) == "":
		return errNoSubject
	case p.Get(paramSubjectType) != typeAccessToken:
		return errSubjectType
	case p.Get(paramActorToken) != "" || p.Get(paramActorType) != "":
		return errActor
	case p.Get(paramRequestedType) != "" && p.Get(paramRequestedType) != typeAccessToken:
		return errRequestedType
	case len(client.Authorization) > 0 || client.ClientSecret != "" || client.Assertion != "" || client.AssertionType != "":
		return errNoClient
	}
	return nil
}

// authenticatePartner returns the partner token that is the subject token, and
// records it in the event.
func (e *Endpoints) authenticatePartner(c *gin.Context, subject string) (tokens.Found, error) {
	found, err := e.o.OnBehalf.Authenticate(c.Request.Context(), subject, web.Address(c))
	ev := web.EventOf(c)
	ev.PartnerID, ev.PartnerTokenID = found.PartnerToken()
	if credential.OtherEnvironment(subject, e.o.Environment) {
		ev.Note = "token of the other environment presented"
	}
	return found, err
}

// exchangeError translates an error of OnBehalf into one of this endpoint: for
// the same refusals, POST /partners/token has other codes and members.
func exchangeError(err error) error {
	switch {
	case errors.Is(err, apierr.ErrPartnerToken):
		return errSubject.Because(errors.Unwrap(err))
	case errors.Is(err, apierr.ErrNotAgreed):
		return errOrg
	case errors.Is(err, apierr.ErrNotGranted):
		return errNotGranted
	}
	return asInvalidScope(err)
}
