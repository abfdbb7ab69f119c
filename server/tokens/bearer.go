package tokens

import (
	"context"
	"net/netip"

	"github.com/grantd/grantd/store"
)

// FindBearer returns the token with which somebody calls grantd itself, if that
// token is active, meant for grantd, of one of the uses, and allowed from the
// caller's address. With the zero Addr, a token that is restricted to addresses
// is not allowed at all. Otherwise it is a Found without a token. Every endpoint
// of grantd that accepts a bearer token asks here.
//
// Restrictions that only a resource server can enforce hide a token, except the
// restriction of a customer's token to resources: server/customers passes that
// on to what it makes. Errors: store.ErrUnavailable, feed.ErrStale.
func (s *Service) FindBearer(ctx context.Context, presented string, from netip.Addr, uses ...store.TokenUse) (Found, error) {
	f, err := s.Find(ctx, presented)
	if err != nil || f.Token == nil {
		return f, err
	}
	grantd := store.Client{Resource: s.o.Issuer(), TokenUses: uses}
	if f.Token.Use == store.UseCustomer {
		grantd.Enforces = enforcesResources
	}
	switch reason := HiddenReason(f.Token, &grantd, from); {
	case reason == "":
		return f, nil
	case reason == HiddenAddress && f.Token.Use == store.UsePartner:
		f.Refused = &RefusedToken{PartnerID: f.Token.PartnerID, TokenID: f.Token.PartnerTID, Why: RefusedAddress}
	}
	f.Token = nil
	return f, nil
}

var enforcesResources = []string{EnforceResources}
