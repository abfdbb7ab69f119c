package store

import (
	"encoding/base64"
	"strings"
)

// Principal keys: what a feed entry names. One form for each kind; ids hold
// no '/' or ':' (contract §2), so keys of different kinds never meet.
const PrincipalAll = "all"

const tokenPrefix = "token:"

func PrincipalClient(id string) string          { return "client:" + id }
func PrincipalSecret(client, sid string) string { return "secret:" + client + "/" + sid }
func PrincipalOrg(id string) string             { return "org:" + id }
func PrincipalCustomer(id string) string        { return "customer:" + id }
func PrincipalPartner(id string) string         { return "partner:" + id }
func PrincipalPartnerToken(id string) string    { return "partner_token:" + id }
func PrincipalGrant(partner, org string) string {
	return "grant:" + partner + "/" + org
}
func PrincipalToken(d Digest) string {
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(d[:])
}

// IsTokenPrincipal says whether the key is one of PrincipalToken.
func IsTokenPrincipal(key string) bool { return strings.HasPrefix(key, tokenPrefix) }

// Principals answers every principal whose void ends the token, but for the
// token itself.
func (t *Token) Principals() []string {
	keys := make([]string, 0, 4)
	keys = append(keys, PrincipalAll)
	add := func(id string, key func(string) string) {
		if id != "" {
			keys = append(keys, key(id))
		}
	}
	add(t.ClientID, PrincipalClient)
	add(t.OrgID, PrincipalOrg)
	add(t.CustomerID, PrincipalCustomer)
	add(t.PartnerID, PrincipalPartner)
	add(t.PartnerTID, PrincipalPartnerToken)
	if t.ClientID != "" && t.SecretID != "" {
		keys = append(keys, PrincipalSecret(t.ClientID, t.SecretID))
	}
	if t.PartnerID != "" && t.OrgID != "" {
		keys = append(keys, PrincipalGrant(t.PartnerID, t.OrgID))
	}
	return keys
}
