package store

import (
	"encoding/base64"
	"strings"
)

// Principal keys: what a feed entry names. One form for each kind; ids hold
// no '/' or ':' (contract §2), so keys of different kinds never meet.
const (
	PrincipalAll = "all"
	// PrincipalAllPartnerTokens is all tokens that partners hold. They are
	// records: a feed that was lost, which voids all, does not end them.
	PrincipalAllPartnerTokens = "partner_tokens"

	kindClient       = "client:"
	kindSecret       = "secret:"
	kindOrg          = "org:"
	kindCustomer     = "customer:"
	kindPartner      = "partner:"
	kindPartnerToken = "partner_token:"
	kindGrant        = "grant:"
	kindToken        = "token:"
)

func PrincipalClient(id string) string          { return kindClient + id }
func PrincipalSecret(client, sid string) string { return kindSecret + client + "/" + sid }
func PrincipalOrg(id string) string             { return kindOrg + id }
func PrincipalCustomer(id string) string        { return kindCustomer + id }
func PrincipalPartner(id string) string         { return kindPartner + id }
func PrincipalPartnerToken(id string) string    { return kindPartnerToken + id }
func PrincipalGrant(id string) string           { return kindGrant + id } // see GrantID
func PrincipalToken(d Digest) string {
	return kindToken + base64.RawURLEncoding.EncodeToString(d[:])
}

// OwnerKind is what the owner of a credential is.
type OwnerKind string

// The owners.
const (
	OwnerClient  OwnerKind = kindClient
	OwnerPartner OwnerKind = kindPartner
)

// OwnerOf takes the principal key of an owner of credentials apart; kind is ""
// for any other key.
func OwnerOf(key string) (kind OwnerKind, id string) {
	for _, k := range [...]OwnerKind{OwnerClient, OwnerPartner} {
		if id, ok := strings.CutPrefix(key, string(k)); ok {
			return k, id
		}
	}
	return "", ""
}

// IsTokenPrincipal says whether the key is one of PrincipalToken.
func IsTokenPrincipal(key string) bool { return strings.HasPrefix(key, kindToken) }

// AppendTokenPrincipal appends PrincipalToken.
func AppendTokenPrincipal(b []byte, d Digest) []byte {
	return base64.RawURLEncoding.AppendEncode(append(b, kindToken...), d[:])
}

// Principal is one that a token rests on, as a key in parts: every look-up
// of a token asks for all of its principals, and is to need no memory for it.
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

// Room for the principals of a token, and for the key of any of them.
type (
	PrincipalBuffer [10]Principal
	KeyBuffer       [288]byte
)

// Principals answers every principal whose void ends the token, the tokens that
// it was made from included, but for the token itself.
func (t *Token) Principals(room *PrincipalBuffer) []Principal {
	list := append(room[:0], Principal{kind: PrincipalAll})
	for _, p := range [...]Principal{
		{kindClient, t.ClientID, ""}, {kindOrg, t.OrgID, ""}, {kindCustomer, t.CustomerID, ""},
		{kindPartner, t.PartnerID, ""}, {kindPartnerToken, t.PartnerTID, ""},
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
