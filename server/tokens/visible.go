package tokens

import (
	"net/netip"
	"slices"

	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/store"
)

// What a resource server may say that it enforces (contract §3).
const (
	EnforceSourceIP  = "source_ip"
	EnforceEndpoints = "endpoints"
	EnforceResources = "resources"
)

// Enforcements lists them.
var Enforcements = []string{EnforceSourceIP, EnforceEndpoints, EnforceResources}

// Hidden is why a resource server may not take a token that is active; "":
// it may. They are notes of the log.
type Hidden string

// The reasons.
const (
	HiddenUse       Hidden = "not shown: the resource server does not take this token use"
	HiddenAudience  Hidden = "not shown: the token is for another audience"
	HiddenEndpoints Hidden = "not shown: the resource server does not enforce endpoints"
	HiddenResources Hidden = "not shown: the resource server does not enforce resources"
	HiddenAddress   Hidden = "not shown: the caller's address is not one of the token's"
)

// Visible says whether a resource server may take the token as active.
func Visible(t *store.Token, rs *store.Client, sourceIP netip.Addr) bool {
	return HiddenBy(t, rs, sourceIP) == ""
}

// HiddenBy says why a resource server may not take the token as active. It
// fails closed: a use, an audience or a restriction that the resource server
// did not say it can handle makes the token invisible to it. sourceIP is the
// caller's address as the resource server saw it; the zero Addr if it sent
// none.
func HiddenBy(t *store.Token, rs *store.Client, sourceIP netip.Addr) Hidden {
	enforces := func(what string) bool { return slices.Contains(rs.Enforces, what) }
	switch {
	case !sees(rs, t.Use):
		return HiddenUse
	case len(t.Audience) > 0 && !slices.Contains(t.Audience, rs.Resource):
		return HiddenAudience
	case len(t.Endpoints) > 0 && !enforces(EnforceEndpoints):
		return HiddenEndpoints
	case len(t.Resources) > 0 && !enforces(EnforceResources):
		return HiddenResources
	case len(t.SourceIPs) > 0 && !enforces(EnforceSourceIP):
		if !sourceIP.IsValid() || !field.RangesContain(t.SourceIPs, sourceIP) {
			return HiddenAddress
		}
	}
	return ""
}

// sees says whether the resource server takes tokens of that use.
func sees(rs *store.Client, use store.TokenUse) bool {
	if len(rs.TokenUses) == 0 {
		return use == store.UseClient
	}
	return slices.Contains(rs.TokenUses, use)
}

// Subject answers the sub of introspection, with its namespace.
func Subject(t *store.Token) string { return string(AppendSubject(nil, t)) }

// AppendSubject appends what Subject answers.
func AppendSubject(b []byte, t *store.Token) []byte {
	switch t.Use {
	case store.UseCustomer:
		return append(append(b, "customer:"...), t.CustomerID...)
	case store.UseOnBehalf:
		return append(append(b, "org:"...), t.OrgID...)
	case store.UsePartner:
		return append(append(b, "partner:"...), t.PartnerID...)
	}
	return append(append(b, "client:"...), t.ClientID...)
}
