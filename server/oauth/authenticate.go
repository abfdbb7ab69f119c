package oauth

import (
	"errors"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/web"
)

// Notes of a refused authentication.
const (
	noteOtherEnvironment = "secret of the other environment presented"
	noteIDWithheld       = "client_id is not shown: it looks like a secret"
)

// errLineBreak depends on the request alone, so it tells nothing about the client.
var errLineBreak = apierr.New(apierr.InvalidClient, "client authentication failed: client_secret ends with a line break; send it without (printf instead of echo)")

// authenticate authenticates the calling client and notes it in the access event, or
// why that failed.
func (e *Endpoints) authenticate(c *gin.Context, p auth.Presented) (auth.Identity, error) {
	ev := web.EventOf(c)
	cred, err := e.o.Auth.Read(p)
	if err != nil {
		noteClaim(ev, cred.ClientID, web.ClaimUnchecked)
		return auth.Identity{}, err
	}
	id, err := e.o.Auth.Authenticate(c.Request.Context(), cred, web.Address(c))
	if err != nil {
		return auth.Identity{}, noteRefusal(ev, cred, err)
	}
	ev.ClientID, ev.SecretID, ev.OldSecret = id.Client.ID, id.SecretID, id.OldSecret
	return id, nil
}

// noteRefusal notes why the client was not authenticated. It returns the error for
// the caller.
func noteRefusal(ev *web.Event, cred auth.Credentials, err error) error {
	why := auth.RefusalOf(err)
	if why == nil {
		return err
	}
	if why.Cause == refusal.OtherEnvironment {
		ev.Note = noteOtherEnvironment
	}
	claim := web.ClaimUnknown
	if why.ClientKnown {
		claim = web.ClaimKnown
	}
	noteClaim(ev, cred.ClientID, claim)
	ev.SecretID, ev.SecretRight, ev.EndedAt = why.SecretID, why.SecretRight, why.EndedAt
	var is *apierr.Error
	if cred.EndsInLineBreak() && errors.As(err, &is) && is.Code == apierr.InvalidClient {
		return errLineBreak.Because(why)
	}
	return err
}

// noteClaim notes the id that the caller claims. One that no client has may be a
// secret that was sent in the wrong place.
func noteClaim(ev *web.Event, id string, claim web.Claim) {
	if id == "" {
		return
	}
	ev.Claim = claim
	switch {
	case claim != web.ClaimKnown && credential.LooksSecret(id):
		if ev.Note == "" {
			ev.Note = noteIDWithheld
		}
	case field.ValidClientID(id):
		ev.ClientID = id
	}
}

// scopeCauses are the errors of package scopes that callers see, with their causes.
var scopeCauses = []struct {
	err   error
	cause refusal.Cause
}{
	{scopes.ErrComma, refusal.ScopeComma}, // before ErrUnknown, which it is too
	{scopes.ErrTooLong, refusal.ScopeTooLong}, {scopes.ErrSyntax, refusal.ScopeSyntax}, {scopes.ErrUnknown, refusal.ScopeUnknown},
	{scopes.ErrRefused, refusal.ScopeNotAllowed}, {scopes.ErrNone, refusal.NoDefaultScope},
}

// asInvalidScope returns an error of package scopes with its OAuth code and its cause.
func asInvalidScope(err error) error {
	for _, known := range scopeCauses {
		if errors.Is(err, known.err) {
			return apierr.New(apierr.InvalidScope, known.err.Error()).Because(known.cause)
		}
	}
	return err
}

// noteScope notes which scope was refused with an error of package scopes.
func (e *Endpoints) noteScope(ev *web.Event, requested string, allowed []string, err error) {
	set, syntax := scopes.Parse(requested)
	switch {
	case syntax != nil:
	case errors.Is(err, scopes.ErrUnknown):
		name := e.o.Catalogue().Unknown(set)
		if web.PlainScope(name) || e.o.Catalogue().Unknown(strings.Split(name, ",")) == "" {
			ev.Scope = strings.Clone(name)
		}
	case errors.Is(err, scopes.ErrRefused):
		if i := slices.IndexFunc(set, func(name string) bool { return !slices.Contains(allowed, name) }); i >= 0 {
			ev.Scope = strings.Clone(set[i]) // of the catalogue
		}
	}
}
