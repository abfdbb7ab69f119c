package oauth

import (
	"errors"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/web"
)

// typeAccessToken is the one type of token that is exchanged and issued
// (RFC 8693 §3).
const typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"

// audienceOrg begins the audience of an exchange: the org to act for.
const audienceOrg = "org:"

var (
	errNoSubject   = apierr.New(apierr.InvalidRequest, "subject_token is missing: the partner token")
	errSubjectType = apierr.New(apierr.InvalidRequest, "subject_token_type must be "+typeAccessToken)
	errAskedType   = apierr.New(apierr.InvalidRequest, "requested_token_type must be "+typeAccessToken+" or absent")
	errActor       = apierr.New(apierr.InvalidRequest, "actor_token is not supported: the partner of the subject token acts")
	errNoClient    = apierr.New(apierr.InvalidClient, "a token exchange takes no client credentials: the subject token authenticates the partner")
	errSubject     = apierr.New(apierr.InvalidRequest, "subject_token is not an active partner token, or may not be used from this address")
	errAudience    = apierr.New(apierr.InvalidRequest, "audience is missing: org: and the id of the org to act for")
	errOrg         = apierr.New(apierr.InvalidTarget, "audience must be one org that has agreed that the partner acts for it, as org: and its id; resource is not supported")
	errNotGranted  = apierr.New(apierr.InvalidScope, "scope holds a name that does more than read, that the org did not grant, or that you may not have any more; or nothing is left of what it granted")
)

// exchange gives a partner a token on behalf of an org for its own (RFC 8693).
// The partner is no client: its token is all of its authentication.
func (e *Endpoints) exchange(c *gin.Context, p web.Params) error {
	if err := exchangeable(c, p); err != nil {
		return err
	}
	targets := p.All(paramAudience)
	if len(targets) == 0 {
		return errAudience
	}
	org, ok := strings.CutPrefix(targets[0], audienceOrg)
	if !ok || len(targets) > 1 || len(p.All(paramResource)) > 0 {
		org = "" // refused as any other org is, once the partner is known
	}
	issued, err := e.o.OnBehalf(c, p.Get(paramSubjectToken), org, p.Get(paramScope))
	if err != nil {
		return exchangeFault(err)
	}
	sendTokenResponse(c, &issued, true)
	return nil
}

// exchangeable checks what the request says of itself.
func exchangeable(c *gin.Context, p web.Params) error {
	presented := readClientAuth(c, p)
	switch {
	case p.Get(paramSubjectToken) == "":
		return errNoSubject
	case p.Get(paramSubjectType) != typeAccessToken:
		return errSubjectType
	case p.Get(paramActorToken) != "" || p.Get(paramActorType) != "":
		return errActor
	case p.Get(paramRequestedType) != "" && p.Get(paramRequestedType) != typeAccessToken:
		return errAskedType
	case len(presented.Authorization) > 0 || presented.ClientSecret != "" || presented.Assertion != "" || presented.AssertionType != "":
		return errNoClient
	}
	return nil
}

// exchangeFault says in this endpoint's codes what the partners' own path says
// in its.
func exchangeFault(err error) error {
	var f *apierr.Error
	if !errors.As(err, &f) {
		return err
	}
	switch f.Code {
	case apierr.InvalidToken:
		return errSubject.Because(f.Cause)
	case apierr.AccessDenied:
		return errOrg
	case apierr.InsufficientScope:
		return errNotGranted
	case apierr.InvalidRequest: // of what is left only the scope can be malformed
		return apierr.New(apierr.InvalidScope, f.Description)
	}
	return err
}
