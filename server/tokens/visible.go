package tokens

import (
	"net/netip"
	"slices"

	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/store"
)

// Restrictions that a resource server can be registered as enforcing.
const (
	EnforceSourceIP  = "source_ip"
	EnforceEndpoints = "endpoints"
	EnforceResources = "resources"
)

// Enforcements lists them.
var Enforcements = []string{EnforceSourceIP, EnforceEndpoints, EnforceResources}

// Hidden says why an active token is hidden from a resource server; "": it is
// not hidden. The log shows it as a note.
type Hidden string

// The reasons.
const (
	HiddenUse       Hidden = "not shown: the resource server does not accept this token use"
	HiddenOrg       Hidden = "not shown: the token is of another org than the resource server"
	HiddenAudience  Hidden = "not shown: the token is for another audience"
	HiddenEndpoints Hidden = "not shown: the resource server does not enforce endpoints"
	HiddenResources Hidden = "not shown: the resource server does not enforce resources"
	HiddenAddress   Hidden = "not shown: the caller's address is not one of the token's"
)

// HiddenReason returns why a resource server must not accept the token, which
// is active; "" if it may. It fails closed: a use, an audience or a restriction
// that the resource server did not say it can handle hides the token from it. A
// resource server of an org sees tokens of that org, and those of none.
// sourceIP is the caller's address as the resource server saw it, or the zero
// Addr if the resource server sent none.
func HiddenReason(t *store.Token, rs *store.Client, sourceIP netip.Addr) Hidden {
	enforces := func(what string) bool { return slices.Contains(rs.Enforces, what) }
	switch {
	case !acceptsUse(rs, t.Use):
		return HiddenUse
	case rs.OrgID != "" && t.OrgID != "" && t.OrgID != rs.OrgID:
		return HiddenOrg
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

// acceptsUse reports whether the resource server accepts tokens of the use.
func acceptsUse(rs *store.Client, use store.TokenUse) bool {
	if len(rs.TokenUses) == 0 {
		return use == store.UseClient
	}
	return slices.Contains(rs.TokenUses, use)
}

// Subject returns the sub of the token, with its namespace.
func Subject(t *store.Token) string {
	var room [64]byte // an allocation less for usual ids
	return string(AppendSubject(room[:0], t))
}

// AppendSubject appends what Subject returns.
func AppendSubject(b []byte, t *store.Token) []byte {
	switch t.Use {
	case store.UseCustomer:
		return append(append(b, "customer:"...), t.CustomerID...)
	case store.UseOnBehalf, store.UseKey:
		return append(append(b, "org:"...), t.OrgID...)
	case store.UsePartner:
		return append(append(b, "partner:"...), t.PartnerID...)
	}
	return append(append(b, "client:"...), t.ClientID...)
}
