package store

import (
	"encoding/base64"
	"strings"
)

// Principal keys are what a feed entry names. Each kind has one form. Ids hold
// no '/' or ':', so keys of different kinds never collide.
const (
	PrincipalAll = "all"
	// PrincipalAllPartnerTokens is all tokens that partners hold. They are
	// records: the void of everything after a lost feed does not end them.
	PrincipalAllPartnerTokens = "partner_tokens"
	// PrincipalAllKeys is all API keys, which are records too.
	PrincipalAllKeys = "keys"

	kindClient       = "client:"
	kindSecret       = "secret:"
	kindOrg          = "org:"
	kindCustomer     = "customer:"
	kindPartner      = "partner:"
	kindPartnerToken = "partner_token:"
	kindGrant        = "grant:"
	kindToken        = "token:"
	kindKey          = "key:"
	kindHold         = "hold:"
	kindNotices      = "notices:"
	kindSigningKeys  = "signing_keys:"
)

func PrincipalClient(id string) string          { return kindClient + id }
func PrincipalSecret(client, sid string) string { return kindSecret + client + "/" + sid }
func PrincipalOrg(id string) string             { return kindOrg + id }
func PrincipalCustomer(id string) string        { return kindCustomer + id }
func PrincipalPartner(id string) string         { return kindPartner + id }
func PrincipalPartnerToken(id string) string    { return kindPartnerToken + id }
func PrincipalGrant(id string) string           { return kindGrant + id } // see GrantID
func PrincipalHold(id string) string            { return kindHold + id }
func PrincipalNotices(id string) string         { return kindNotices + id }
func PrincipalSigningKeys(id string) string     { return kindSigningKeys + id }
func PrincipalKey(id string) string             { return kindKey + id }
func PrincipalToken(d Digest) string {
	return kindToken + base64.RawURLEncoding.EncodeToString(d[:])
}

// OwnerKind is the kind of a credential's owner.
type OwnerKind string

// The owners.
const (
	OwnerClient  OwnerKind = kindClient
	OwnerPartner OwnerKind = kindPartner
	OwnerKey     OwnerKind = kindKey // an API key owns its own uses
)

// OwnerOf splits the principal key of an owner of credentials. kind is "" for
// any other key.
func OwnerOf(key string) (kind OwnerKind, id string) {
	for _, k := range [...]OwnerKind{OwnerClient, OwnerPartner, OwnerKey} {
		if id, ok := strings.CutPrefix(key, string(k)); ok {
			return k, id
		}
	}
	return "", ""
}

// IsTokenPrincipal reports whether the key is the form of PrincipalToken.
func IsTokenPrincipal(key string) bool { return strings.HasPrefix(key, kindToken) }

// tokenText is the length of a digest in a key.
var tokenText = base64.RawURLEncoding.EncodedLen(len(Digest{}))

// TokenOfPrincipal returns the digest that PrincipalToken was called with. ok is
// false for any other key.
func TokenOfPrincipal(key string) (d Digest, ok bool) {
	text, ok := strings.CutPrefix(key, kindToken)
	if !ok {
		return d, false
	}
	return parseDigest(text)
}

// Digest returns the digest of a token that another token was made from. ok is
// false for other principals.
func (p Principal) Digest() (d Digest, ok bool) {
	if p.kind != kindToken {
		return d, false
	}
	return parseDigest(p.id)
}

var strictURL = base64.RawURLEncoding.Strict()

func parseDigest(text string) (d Digest, ok bool) {
	if len(text) != tokenText {
		return d, false
	}
	var room [64]byte
	n, err := strictURL.Decode(d[:], room[:copy(room[:], text)])
	return d, err == nil && n == len(d)
}

// AppendTokenPrincipal appends the form of PrincipalToken.
func AppendTokenPrincipal(b []byte, d Digest) []byte {
	return base64.RawURLEncoding.AppendEncode(append(b, kindToken...), d[:])
}

// Principal is a principal that a token depends on, as the parts of its key.
// Every lookup of a token checks all of its principals and must not allocate
// for that.
type Principal struct{ kind, id, of string }

// Append appends the key.
func (p Principal) Append(b []byte) []byte {
	b = append(b, p.kind...)
	b = append(b, p.id...)
	if p.of != "" {
		b = append(b, '/')
		b = append(b, p.of...)
	}
	return b
}

// PrincipalBuffer and KeyBuffer have room for the principals of a token, and
// for the key of any of them.
type (
	PrincipalBuffer [11]Principal
	KeyBuffer       [288]byte
)

// Principals returns every principal whose void ends the token. These include
// the tokens that it was made from, but not the token itself.
func (t *Token) Principals(room *PrincipalBuffer) []Principal {
	list := append(room[:0], Principal{kind: PrincipalAll})
	for _, p := range [...]Principal{
		{kindClient, t.ClientID, ""}, {kindOrg, t.OrgID, ""}, {kindCustomer, t.CustomerID, ""},
		{kindPartner, t.PartnerID, ""}, {kindPartnerToken, t.PartnerTID, ""}, {kindKey, t.KeyID, ""},
	} {
		if p.id != "" {
			list = append(list, p)
		}
	}
	for _, p := range t.Parents {
		list = append(list, Principal{kindToken, p, ""})
	}
	if t.ClientID != "" && t.SecretID != "" {
		list = append(list, Principal{kindSecret, t.ClientID, t.SecretID})
	}
	if t.PartnerID != "" && t.OrgID != "" {
		list = append(list, Principal{kindGrant, t.PartnerID, t.OrgID})
	}
	return list
}
