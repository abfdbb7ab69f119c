package oauth

import (
	"strconv"
	"time"

	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// inactive is all that a caller learns about a token that is not active
// (RFC 7662 §2.2).
const inactive = `{"active":false}`

// appendIntrospection appends the response: with follow, also what a cache that
// follows revocations needs. jti is that of an active token; "": it is not active.
func (e *Endpoints) appendIntrospection(b []byte, f tokens.Found, jti string, follow bool) []byte {
	if jti == "" {
		return append(b, inactive...)
	}
	b = appendActive(b, f, jti, e.o.Tokens.IssuerOf(f.Token))
	if follow {
		b = appendFollow(b, e.o.VoidKeys, f)
	}
	return append(b, '}')
}

// appendActive appends the introspection of an active token, without the brace at its
// end: the members of RFC 7662 §2.2 and grantd's own, which openapi.yaml describes.
// Members without a value are left out. encoding/json would take several times as long as the
// rest of the request for a cached token.
func appendActive(b []byte, f tokens.Found, jti, issuer string) []byte {
	t := f.Token
	b = append(b, `{"active":true`...)
	b = appendMember(b, `,"scope":`, t.Scopes)
	if t.Use == store.UseClient || t.Use == store.UseCustomer {
		b = appendMember(b, `,"client_id":`, t.ClientID)
	}
	b = append(b, `,"token_type":"Bearer","exp":`...)
	b = strconv.AppendInt(b, t.ExpiresAt.Unix(), 10)
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, t.IssuedAt.Unix(), 10)
	b = append(b, `,"sub":"`...)
	b = tokens.AppendSubject(b, t)
	b = append(b, '"')
	b = appendAudience(b, t.Audience)
	b = appendMember(b, `,"iss":`, issuer)
	b = appendMember(b, `,"jti":`, jti)
	b = appendMember(b, `,"token_use":`, string(t.Use))
	b = appendMember(b, `,"org_id":`, t.OrgID)
	b = appendMember(b, `,"customer_id":`, t.CustomerID)
	b = appendMember(b, `,"authorized_user_id":`, t.AuthorizedUser)
	b = appendMember(b, `,"partner_id":`, t.PartnerID)
	if t.Use == store.UseOnBehalf { // the actor for sub: RFC 8693 §4.1
		b = append(b, `,"act":{"sub":`...)
		b = web.AppendString(b, store.PrincipalPartner(t.PartnerID))
		b = append(b, '}')
	}
	b = appendList(b, `,"source_ips":`, t.SourceIPs)
	b = appendList(b, `,"endpoints":`, t.Endpoints)
	b = appendResources(b, t.Resources)
	if !t.AuthTime.IsZero() {
		b = append(b, `,"auth_time":`...)
		b = strconv.AppendInt(b, t.AuthTime.Unix(), 10)
	}
	return appendList(b, `,"amr":`, t.AMR)
}

// appendFollow appends what a cache that follows revocations needs: the void keys of
// the principals that can end the token, and the position of the feed at which the
// token was active, with the age of that knowledge. It follows appendActive.
func appendFollow(b []byte, e *voidkeys.Encoder, f tokens.Found) []byte {
	b = append(b, `,"void_keys":["`...)
	var room store.PrincipalBuffer
	for _, p := range f.Token.Principals(&room) {
		b = append(e.AppendKey(b, p), `","`...)
	}
	switch f.Token.Use { // revoking a record changes the record; there is no void of the token
	case store.UsePartner:
		b = e.AppendKeyOf(b, store.PrincipalAllPartnerTokens)
	case store.UseKey:
		b = e.AppendKeyOf(b, store.PrincipalAllKeys)
	default:
		b = e.AppendTokenKey(b, f.Digest)
	}
	b = e.AppendPosition(append(b, `"],"feed_position":"`...), f.Mark.Position)
	b = append(b, `","feed_age_ms":`...)
	return strconv.AppendInt(b, (f.Mark.Age + time.Millisecond - 1).Milliseconds(), 10)
}

// appendMember appends a text, unless it is empty. name includes its comma and
// colon.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return web.AppendString(append(b, name...), value)
}

func appendList(b []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	return web.AppendStrings(append(b, name...), list)
}

// appendAudience appends aud, as a string or as a list of several.
func appendAudience(b []byte, audience []string) []byte {
	if len(audience) == 1 {
		return appendMember(b, `,"aud":`, audience[0])
	}
	return appendList(b, `,"aud":`, audience)
}

// appendResources appends a list of objects with type and ids.
func appendResources(b []byte, resources []store.Resource) []byte {
	if len(resources) == 0 {
		return b
	}
	b = append(b, `,"resources":[`...)
	for i, r := range resources {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"type":`...)
		b = web.AppendString(b, r.Type)
		b = append(b, `,"ids":`...)
		b = append(web.AppendStrings(b, r.IDs), '}')
	}
	return append(b, ']')
}
