package oauth

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// maxResources is how many resource parameters a request may have.
const maxResources = 16

var tokenSpec = web.Spec{JSON: true, Params: withClientAuth(
	web.Param{Name: paramGrantType, Kind: web.Single},
	web.Param{Name: paramResponseType, Kind: web.Single},
	web.Param{Name: paramScope, Kind: web.Single},
	web.Param{Name: paramResource, Kind: web.Repeatable},
	// Parameters of a token exchange.
	web.Param{Name: paramSubjectToken, Kind: web.Opaque},
	web.Param{Name: paramSubjectType, Kind: web.Single},
	web.Param{Name: paramRequestedType, Kind: web.Single},
	web.Param{Name: paramActorToken, Kind: web.Opaque},
	web.Param{Name: paramActorType, Kind: web.Single},
	web.Param{Name: paramAudience, Kind: web.Repeatable},
)}

var (
	errNoGrantType = apierr.New(apierr.InvalidRequest, "grant_type is missing: send grant_type=client_credentials")
	errQuota       = apierr.New(apierr.TooManyRequests, "this client has had more tokens than its quota: use each until it expires, and wait as long as Retry-After says").Because(refusal.IssueQuota)
	errGrantType   = apierr.New(apierr.UnsupportedGrantType, "this server grants client_credentials and, to partners, token exchange")
	errTarget      = apierr.New(apierr.InvalidTarget, "resource must be one of this client's resources: an absolute URI without fragment")
)

// appendTokenResponse appends the members of RFC 6749 §5.1 and created_at, and for
// an exchange issued_token_type (RFC 8693 §2.2.1).
func appendTokenResponse(b []byte, t *tokens.IssuedToken, exchanged bool) []byte {
	b = append(b, `{"access_token":"`...)
	b = append(b, t.Token...) // letters, digits, - and _ need no escape
	if exchanged {
		b = append(b, `","issued_token_type":"`+typeAccessToken...)
	}
	b = append(b, `","token_type":"Bearer","expires_in":`...)
	b = strconv.AppendInt(b, int64(t.ExpiresIn/time.Second), 10)
	b = append(b, `,"scope":`...)
	b = web.AppendString(b, t.Scope)
	b = append(b, `,"created_at":`...)
	b = strconv.AppendInt(b, t.IssuedAt.Unix(), 10)
	return append(b, '}')
}

// Token serves POST /oauth/token.
func (e *Endpoints) Token(c *gin.Context) error {
	p, err := web.ReadParams(c, &tokenSpec)
	if err != nil {
		return err
	}
	switch grant, err := grantType(p); {
	case err != nil:
		return err
	case grant == GrantTokenExchange:
		return e.exchange(c, p)
	}
	id, err := e.authenticate(c, readClientAuth(c, p))
	if err != nil {
		return err
	}
	granted, err := e.o.Catalogue().Resolve(p.Get(paramScope), id.Client.Scopes, id.Client.DefaultScopes)
	if err != nil {
		e.noteScope(web.EventOf(c), p.Get(paramScope), id.Client.Scopes, err)
		return asInvalidScope(err)
	}
	audience, err := audienceOf(p.All(paramResource), id.Client.Resources)
	if err != nil {
		return err
	}
	own := ownLimit(id.Client)
	if wait := e.o.Quota.TakeWithin(id.Client.ID, own); wait > 0 {
		web.EventOf(c).Limit = e.o.Quota.NameWithin(own)
		return errQuota.After(wait)
	}
	issued, err := e.o.Tokens.Issue(c.Request.Context(), tokens.Grant{
		Client: id.Client, SecretID: id.SecretID, Mark: id.Mark, Scopes: granted, Audience: audience,
	})
	if err != nil {
		return err
	}
	e.o.Quota.RecordIssue(id.Client.ID, issued.ExpiresIn)
	e.o.Observe.CountIssued(string(store.UseClient))
	e.o.Issues.RecordIssue(id.Client.ID, id.SecretID, web.Address(c))
	web.EventOf(c).TokenID = tokens.ID(issued.Digest)
	sendTokenResponse(c, &issued, false)
	return nil
}

// ownLimit returns the client's issue limit, which replaces the configured one.
func ownLimit(c *store.Client) ratelimit.Limit {
	return ratelimit.Limit{Count: int(c.IssueLimit.Count), Per: c.IssueLimit.Per}
}

func sendTokenResponse(c *gin.Context, t *tokens.IssuedToken, exchanged bool) {
	body := web.NewBody()
	body.B = appendTokenResponse(body.B, t, exchanged)
	web.Send(c, 200, body)
}

// grantType returns the grant type. Instead of it, callers may send
// response_type=client_credentials, as openapi.yaml says.
func grantType(p web.Params) (string, error) {
	switch grant := p.Get(paramGrantType); grant {
	case GrantClientCredentials, GrantTokenExchange:
		return grant, nil
	case "":
		if p.Get(paramResponseType) == GrantClientCredentials {
			return GrantClientCredentials, nil
		}
		return "", errNoGrantType
	}
	return "", errGrantType
}

// audienceOf returns the audience of a token: the resources that the request names
// (RFC 8707 §2), or else all of the client's.
func audienceOf(asked, allowed []string) ([]string, error) {
	if len(asked) == 0 {
		return allowed, nil
	}
	if len(asked) > maxResources {
		return nil, errTarget
	}
	var audience []string
	for _, r := range asked {
		u, err := url.Parse(r)
		if err != nil || !u.IsAbs() || u.Fragment != "" || !slices.Contains(allowed, r) {
			return nil, errTarget
		}
		if !slices.Contains(audience, r) {
			audience = append(audience, r)
		}
	}
	return audience, nil
}
