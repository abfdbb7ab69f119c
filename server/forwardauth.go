package server

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

var (
	errNoGateway  = apierr.New(apierr.AccessDenied, "only a gateway may ask, and no address of one is configured: list the addresses of yours in public.trusted_proxies").Because(refusal.NotGateway)
	errNotGateway = apierr.New(apierr.AccessDenied, "only a gateway may ask, and this address is not one of public.trusted_proxies").Because(refusal.NotGateway)
)

// gateway returns the handler of /forward-auth. It is there whatever is configured:
// without public.trusted_proxies it refuses everybody, and says what to set. Errors:
// what is wrong with forward_auth.policies.
func (s *Server) gateway() (*gateway.Handler, error) {
	proxies := s.cfg.Public.TrustedPrefixes()
	policies, err := policiesOf(s.cfg.ForwardAuth.Policies)
	if err != nil {
		return nil, err
	}
	return gateway.New(gateway.Options{
		Tokens: gatewayTokens{s.tokens, s.usage}, Family: gateway.Family(s.cfg.ForwardAuth.Headers), Proxies: proxies,
		Peer: func(r *http.Request) error {
			switch {
			case len(proxies) == 0:
				return errNoGateway
			case !web.IsFrom(r, proxies):
				return errNotGateway
			}
			return nil
		},
		Policies: policies, Observe: s.metrics.CountDecision,
	}), nil
}

func policiesOf(list []config.Policy) (gateway.Policies, error) {
	policies := gateway.Policies{}
	for i, p := range list {
		if err := policies.Add(p.Name, p.Scope, p.TokenUse, nil); err != nil {
			return nil, fmt.Errorf("forward_auth.policies: entry %d: %w", i+1, err)
		}
	}
	return policies, nil
}

// gatewayTokens finds tokens for gateways, as introspection does. There is no resource
// server whose registration says what it is and what it enforces. So gateway.Handler
// enforces what it can, and refuses a token that is for some APIs only.
type gatewayTokens struct {
	tokens *tokens.Service
	usage  *lastuse.Recorder
}

var _ gateway.Tokens = gatewayTokens{}

// Find implements gateway.Tokens. Errors: store.ErrUnavailable, feed.ErrStale.
func (g gatewayTokens) Find(ctx context.Context, presented string, from netip.Addr) (gateway.Token, error) {
	found, err := g.tokens.Find(ctx, presented)
	if err != nil {
		return gateway.Token{}, err
	}
	t := found.Token
	if t == nil {
		ended := gateway.Token{ID: found.ID(), Why: found.End.Cause, VoidOf: found.End.VoidOf, EndedAt: found.End.At}
		if partner, token := found.PartnerToken(); token != "" {
			ended.ID, ended.PartnerID, ended.PartnerTokenID = "", partner, token
		}
		return ended, nil
	}
	passes := gateway.Token{
		Active: true, Elsewhere: len(t.Audience) > 0, ID: found.ID(), Use: string(t.Use), Subject: tokens.Subject(t),
		CustomerID: t.CustomerID, OrgID: t.OrgID, PartnerID: t.PartnerID, Scope: t.Scopes,
		SourceIPs: t.SourceIPs, Endpoints: t.Endpoints, Resources: len(t.Resources) > 0,
	}
	switch t.Use {
	case store.UseClient, store.UseCustomer:
		passes.ClientID = t.ClientID
	case store.UsePartner:
		passes.ID, passes.PartnerTokenID = "", t.PartnerTID
	case store.UseKey:
		g.usage.RecordKeyUse(t.KeyID, from)
	}
	return passes, nil
}
