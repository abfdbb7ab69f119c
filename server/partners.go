package server

import (
	"github.com/grantd/grantd/server/partners"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// wirePartners makes the services and handlers of partners and their tokens.
func (s *Server) wirePartners(partnerRecords *registry.Cache[store.Partner], orgRecords *registry.Cache[store.Org]) {
	s.partners = partners.New(partners.Options{
		Store: s.store.Partners(), Tokens: s.store.PartnerTokens(), Grants: s.store.Grants(), Orgs: s.store.Orgs(), Uses: s.store,
		Credentials: s.tokens, Catalogue: s.catalogue, Feed: s.feed, Audit: s.audit, Now: s.now,
	})
	s.onBehalfQuota = s.newQuota(ratelimit.OnBehalfTokensPerPartner, ratelimit.OfPartners, s.cfg.Limits.OnBehalfTokensPerPartner, nil)
	s.onBehalf = partners.Handler{
		Environment: s.cfg.Environment,
		OnBehalf: partners.NewOnBehalf(partners.OnBehalfOptions{
			Partners: partnerRecords, Grants: registry.NewCache(store.GrantKind, s.store.Grants(), s.feed), Orgs: orgRecords, List: s.store.Grants(),
			Find: s.tokens, Uses: s.usage, Catalogue: s.catalogue, Quota: s.onBehalfQuota, Mint: s.tokens, Observe: s.metrics, Now: s.now,
		}),
		Issues: s.usage,
	}
}
