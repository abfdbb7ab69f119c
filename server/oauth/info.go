package oauth

import (
	"mime"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

var (
	errNoHolder  = apierr.New(apierr.NoToken, "this needs Authorization: Bearer with a token of this server")
	errHolder    = apierr.New(apierr.InvalidToken, "the bearer token is not active, is not for this server, or is not allowed from this address")
	errTwoTokens = apierr.New(apierr.InvalidToken, "more than one token: send one, in one Authorization header")
)

// accessTokenSpec is the body in which RFC 6750 §2.2 has a token. It is read only to
// refuse a second token.
var accessTokenSpec = web.Spec{Params: []web.Param{{Name: "access_token", Kind: web.Opaque}}}

// TokenInfo serves GET /oauth/token/info: what the bearer token is, for its
// holder. The members that Doorkeeper has are those of Doorkeeper.
func (e *Endpoints) TokenInfo(c *gin.Context) error {
	found, err := e.findHolder(c)
	if err != nil {
		return err
	}
	body := web.NewBody()
	body.B = appendInfo(body.B, found.Token, e.o.Now())
	web.Send(c, 200, body)
	return nil
}

// findHolder returns the token that the caller presented, of any use, and records it
// in the event. A token that is not active, for another audience or from another
// address gets the same error as one that was made up.
// Errors: apierr.NoToken, InvalidToken, InvalidRequest; store.ErrUnavailable.
func (e *Endpoints) findHolder(c *gin.Context) (tokens.Found, error) {
	presented, err := readHolder(c)
	if err != nil {
		return tokens.Found{}, err
	}
	from, ev := web.Address(c), web.EventOf(c)
	found, err := e.o.Tokens.FindSelf(c.Request.Context(), presented, from)
	if err != nil {
		return tokens.Found{}, err
	}
	ev.PartnerID, ev.PartnerTokenID = found.PartnerToken()
	if found.Token == nil {
		noteEnd(ev, found)
		if credential.OtherEnvironment(presented, e.o.Environment) {
			ev.Note = "token of the other environment presented"
		}
		return tokens.Found{}, errHolder.Because(found.End.Cause)
	}
	ev.ClientID = found.Token.ClientID
	switch found.Token.Use {
	case store.UsePartner:
		e.o.Issues.RecordPartnerUse(ev.PartnerID, ev.PartnerTokenID, from)
	case store.UseKey:
		ev.TokenID = found.ID()
		e.o.Issues.RecordKeyUse(found.Token.KeyID, from)
	default:
		ev.TokenID = found.ID()
	}
	return found, nil
}

// readHolder returns the token in the request, which must be the only one in it.
func readHolder(c *gin.Context) (string, error) {
	inBody := false
	if c.Request.ContentLength != 0 && isForm(c) {
		p, err := web.ReadParams(c, &accessTokenSpec)
		if err != nil {
			return "", err
		}
		inBody = p.Get("access_token") != ""
	}
	auth := readClientAuth(c, web.Params{})
	presented, ok := auth.Bearer()
	switch {
	case len(auth.Authorization) > 1, ok && inBody:
		return "", errTwoTokens
	case !ok || presented == "":
		return "", errNoHolder // GET has no token in its body (RFC 6750 §2.2)
	}
	return presented, nil
}

// isForm reports whether the body has the media type of a form.
func isForm(c *gin.Context) bool {
	name, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	return err == nil && name == "application/x-www-form-urlencoded"
}

// appendInfo appends what the holder of the token learns. First come the members that
// Doorkeeper has, whether they have a value or not. Those that follow are left out if
// they have none.
func appendInfo(b []byte, t *store.Token, now time.Time) []byte {
	b = append(b, `{"resource_owner_id":null,"scope":`...)
	b = appendScopes(b, t.Scopes)
	b = append(b, `,"expires_in":`...)
	b = strconv.AppendInt(b, int64(t.ExpiresAt.Sub(now)/time.Second), 10)
	b = append(b, `,"application":{"uid":`...)
	if t.ClientID == "" {
		b = append(b, `null`...)
	} else {
		b = web.AppendString(b, t.ClientID)
	}
	b = append(b, `},"created_at":`...)
	b = strconv.AppendInt(b, t.IssuedAt.Unix(), 10)
	b = append(b, `,"expires_at":`...)
	b = strconv.AppendInt(b, t.ExpiresAt.Unix(), 10)
	b = appendMember(b, `,"token_use":`, string(t.Use))
	b = append(b, `,"sub":"`...)
	b = tokens.AppendSubject(b, t)
	b = append(b, '"')
	b = appendMember(b, `,"org_id":`, t.OrgID)
	b = appendMember(b, `,"customer_id":`, t.CustomerID)
	b = appendMember(b, `,"authorized_user_id":`, t.AuthorizedUser)
	b = appendMember(b, `,"partner_id":`, t.PartnerID)
	b = appendList(b, `,"source_ips":`, t.SourceIPs)
	b = appendList(b, `,"endpoints":`, t.Endpoints)
	b = appendResources(b, t.Resources)
	return append(b, '}')
}

// appendScopes appends scopes that are separated by spaces as a list.
func appendScopes(b []byte, scopes string) []byte {
	b = append(b, '[')
	for name := ""; scopes != ""; {
		if name, scopes, _ = strings.Cut(scopes, " "); name == "" {
			continue
		}
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = web.AppendString(b, name)
	}
	return append(b, ']')
}
