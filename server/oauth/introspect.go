package oauth

import (
	"net/netip"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

var (
	errNotRS        = apierr.New(apierr.AccessDenied, "introspection needs the scope introspect, which this client does not have")
	errBearer       = apierr.New(apierr.InvalidToken, "the bearer token is not active, is not for this server, or is not one of a client")
	errSelf         = apierr.New(apierr.InvalidToken, "a token cannot introspect itself")
	errBearerAndID  = apierr.New(apierr.InvalidRequest, "more than one client authentication method: a bearer token and client credentials")
	errBearerNoSpec = &apierr.Error{Code: apierr.InsufficientScope, Scope: scopes.Introspect, Description: "the bearer token lacks the scope introspect"}
)

// Introspect serves POST /oauth/introspect.
func (e *Endpoints) Introspect(c *gin.Context) error {
	c.Writer.Header()["Vary"] = varyAccept
	asked, err := ReadIntrospection(c)
	if err != nil {
		return err
	}
	token := asked.Token
	rs, err := e.resourceServer(c, asked.Caller, token)
	if err != nil {
		return err
	}
	source, err := asked.Source()
	if err != nil {
		return err
	}
	found, err := e.o.Tokens.Find(c.Request.Context(), token)
	if err != nil {
		return err
	}
	jti := e.judge(c, found, rs, source)
	if found.Token == nil && credential.OtherEnvironment(token, e.o.Environment) {
		web.EventOf(c).Note = "token of the other environment presented"
	}
	if wantsSigned(c.Request.Header["Accept"]) {
		return e.sendSigned(c, rs, found, jti)
	}
	body := web.NewBody()
	body.B = e.appendIntrospection(body.B, found, jti, asked.Follow)
	web.Send(c, 200, body)
	return nil
}

// judge returns the jti of a token that is active to the resource server, and "" for
// any other. It notes the verdict, and why, in the access event.
func (e *Endpoints) judge(c *gin.Context, found tokens.Found, rs *store.Client, source netip.Addr) (jti string) {
	ev, active := web.EventOf(c), false
	ev.Verdict = web.Inactive
	if found.Token != nil {
		reason := tokens.HiddenReason(found.Token, rs, source)
		active = reason == ""
		ev.Note, ev.TokenID = string(reason), found.ID()
		if !active {
			ev.Cause = reason.Cause()
		}
	} else {
		noteEnd(ev, found)
	}
	if active {
		ev.Verdict = web.Active
		if found.Token.Use == store.UseKey {
			e.o.Issues.RecordKeyUse(found.Token.KeyID, source)
		}
	}
	e.o.Observe.CountIntrospected(active, string(found.Source))
	if !active {
		return ""
	}
	return ev.TokenID
}

// noteEnd notes why the token that was found is not active.
func noteEnd(ev *web.Event, found tokens.Found) {
	ev.NoteEnd(found.ID(), found.End.VoidOf, found.End.At)
	if found.End.Cause != "" {
		ev.Cause = found.End.Cause
	}
}

// resourceServer returns the calling client, which must be allowed to
// introspect: its record has the scope introspect and it sent its secret, or it
// sent a bearer token with that scope.
func (e *Endpoints) resourceServer(c *gin.Context, presented auth.Presented, token string) (*store.Client, error) {
	if bearer, ok := presented.Bearer(); ok {
		return e.bearerServer(c, presented, bearer, token)
	}
	id, err := e.authenticate(c, presented)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(id.Client.Scopes, scopes.Introspect) {
		return nil, errNotRS
	}
	return id.Client, nil
}

// bearerServer is resourceServer for a caller with a bearer token.
func (e *Endpoints) bearerServer(c *gin.Context, presented auth.Presented, bearer, token string) (*store.Client, error) {
	switch {
	case presented.ClientSecret != "" || presented.Assertion != "":
		return nil, errBearerAndID
	case bearer == token:
		return nil, errSelf
	}
	rs, _, err := e.bearerHolder(c, bearer)
	return rs, err
}

// bearerHolder returns the client that holds the bearer token, which must have the
// scope introspect.
func (e *Endpoints) bearerHolder(c *gin.Context, bearer string) (*store.Client, tokens.Found, error) {
	found, err := e.o.Tokens.FindBearer(c.Request.Context(), bearer, web.Address(c), store.UseClient)
	if err != nil {
		return nil, found, err
	}
	if found.Token == nil {
		noteEnd(web.EventOf(c), found)
		return nil, found, errBearer.Because(found.End.Cause)
	}
	web.EventOf(c).ClientID = found.Token.ClientID
	if !scopes.Holds(found.Token.Scopes, scopes.Introspect) {
		return nil, found, errBearerNoSpec
	}
	rs, err := e.o.Clients.Get(c.Request.Context(), found.Token.ClientID)
	if err != nil {
		return nil, found, err
	}
	if rs.Record == nil || !rs.Record.Usable() {
		return nil, found, errBearer
	}
	return rs.Record, found, nil
}
