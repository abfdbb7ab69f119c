package guard

import (
	"context"
	"net/netip"
)

// Check returns the token if it is active and may be used for what is needed. The
// token is shared: do not change it. Errors: *Refusal.
func (g *Guard) Check(ctx context.Context, token string, need Need) (*Token, error) {
	a, err := g.lookup(ctx, token, need.SourceIP)
	if err != nil {
		return nil, err
	}
	if r := g.rules.judge(a.token, &need); r != nil {
		return nil, r
	}
	return a.token, nil
}

// Introspect returns what the authorization server says about the token, for
// programs that introspect on behalf of others. It checks only whether the token is
// active, and may be used from the address, if one is given. Errors: *Refusal.
func (g *Guard) Introspect(ctx context.Context, token string, source netip.Addr) (*Token, error) {
	a, err := g.lookup(ctx, token, source)
	if err != nil {
		return nil, err
	}
	if source.IsValid() && !a.token.usableFrom(source) {
		return inactiveToken, nil
	}
	return a.token, nil
}

// toSend returns the address that the authorization server is to check: none if this
// resource server does so, because then its verdict is the same for each address.
func (g *Guard) toSend(source netip.Addr) netip.Addr {
	if g.enforcesSource {
		return netip.Addr{}
	}
	return source.Unmap().WithZone("")
}
