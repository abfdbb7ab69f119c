package tokens

import (
	"context"
	"net/netip"

	"github.com/grantd/grantd/store"
)

// FindBearer returns the bearer token of a call to grantd itself, if that token
// is active, is meant for grantd, has one of the uses, and may be used from the
// caller's address; otherwise a Found without a token. With the zero Addr, a
// token that is restricted to addresses is not returned at all. Every endpoint
// of grantd that accepts a bearer token calls it, unless it calls FindSelf.
//
// A token with a restriction that only a resource server can enforce is not
// returned. The exception is the restriction of a customer's token to
// resources: server/customers passes it on to the tokens that it makes. Errors:
// store.ErrUnavailable, feed.ErrStale.
func (s *Service) FindBearer(ctx context.Context, presented string, from netip.Addr, uses ...store.TokenUse) (Found, error) {
	f, err := s.Find(ctx, presented)
	if err != nil || f.Token == nil {
		return f, err
	}
	grantd := store.Client{Resource: s.IssuerOf(f.Token), TokenUses: uses}
	if f.Token.Use == store.UseCustomer {
		grantd.Enforces = enforcesResources
	}
	f.hide(HiddenReason(f.Token, &grantd, from))
	return f, nil
}

// FindSelf returns the bearer token of a call that only describes or ends that
// same token, if it is active, is meant for grantd, and may be used from the
// caller's address. Its use does not matter, and neither do restrictions to
// endpoints or resources: such a call reaches none. Errors: those of FindBearer.
func (s *Service) FindSelf(ctx context.Context, presented string, from netip.Addr) (Found, error) {
	f, err := s.Find(ctx, presented)
	if err != nil || f.Token == nil {
		return f, err
	}
	use := [1]store.TokenUse{f.Token.Use}
	f.hide(HiddenReason(f.Token, &store.Client{Resource: s.IssuerOf(f.Token), TokenUses: use[:], Enforces: enforcesReach}, from))
	return f, nil
}

// hide takes the token away if there is a reason.
func (f *Found) hide(reason Hidden) {
	if reason == "" {
		return
	}
	if reason == HiddenAddress && f.Token.Use == store.UsePartner {
		f.Refused = &RefusedToken{PartnerID: f.Token.PartnerID, TokenID: f.Token.PartnerTID, Why: RefusedAddress}
	}
	f.Token, f.End = nil, End{Cause: reason.Cause(), Made: true}
}

// IssuerOf returns the issuer of the token: that of the server, or the one before it
// if the token was issued under that (`grantd store set-issuer`).
func (s *Service) IssuerOf(t *store.Token) string {
	if former := store.FormerAt(s.o.Former, t.Position); former != nil {
		return former.Issuer
	}
	return s.o.Issuer()
}

// What grantd enforces of a customer's token, and of a token that only describes or
// ends itself.
var (
	enforcesResources = []string{EnforceResources}
	enforcesReach     = []string{EnforceEndpoints, EnforceResources}
)
