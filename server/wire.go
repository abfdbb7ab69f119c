package server

import (
	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/server/signing"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// wire makes the features and connects them to the shared parts.
func (s *Server) wire(sender senders.Sender) {
	cache := 0
	if s.cfg.Cache.Enabled {
		cache = s.cfg.Cache.MaxEntries
	}
	records, orgRecords := registry.NewCache(store.ClientKind, s.store.Clients(), s.feed), registry.NewCache(store.OrgKind, s.store.Orgs(), s.feed)
	partnerRecords := registry.NewCache(store.PartnerKind, s.store.Partners(), s.feed)
	s.tokens = tokens.New(tokens.Options{
		Environment: s.cfg.Environment, Issuer: func() string { return s.issuer }, Former: s.former, Store: s.store, Clients: s.store.Clients(), Feed: s.feed, Keys: s.keys,
		Partners: partnerRecords, PartnerTokens: registry.NewCache(store.PartnerTokenKind, s.store.PartnerTokens(), s.feed),
		APIKeys: registry.NewCache(store.APIKeyKind, s.store.APIKeys(), s.feed), Orgs: orgRecords,
		Catalogue: s.catalogue, DefaultTTL: s.cfg.Token.TTL, CacheSize: cache, Now: s.now,
	})
	s.wireKeys()
	s.client = clients.New(clients.Options{
		Environment: s.cfg.Environment, Store: s.store.Clients(), Uses: s.store, Feed: s.feed,
		Audit: s.audit, Orgs: s.store.Orgs(), Catalogue: s.catalogue, Keys: s.keyRecords, Now: s.now,
	})
	s.wireCustomers(sender, orgRecords)
	s.orgs = orgs.New(orgs.Options{
		Store: s.store.Orgs(), Feed: s.feed, Audit: s.audit, Now: s.now, Clients: s.client, Customers: s.customers, Keys: s.keyRecords,
	})
	s.wirePartners(partnerRecords, orgRecords)
	s.quota = s.newQuota(ratelimit.IssuePerClient, ratelimit.OfClients, s.cfg.Limits.IssuePerClient, s.metrics.Chatty)
	s.revoke = s.newQuota(ratelimit.RevocationsPerClient, ratelimit.OfClients, s.cfg.Limits.RevocationsPerClient, nil)
	failures := ratelimit.NewFailures(ratelimit.Options{
		Store: s.store, Key: s.keys.LimitKey(), Now: s.now, Log: s.log, Hit: s.metrics.LimitHit,
		PerClientAndAddress: ratelimit.Limit(s.cfg.Limits.AuthFailuresPerClientAndAddress),
		PerAddress:          ratelimit.Limit(s.cfg.Limits.AuthFailuresPerAddress),
		PerClient:           ratelimit.Limit(s.cfg.Limits.AuthFailuresPerClient),
	})
	s.networks = ratelimit.NewNetworks(ratelimit.NetworksOptions{Store: s.store, Key: s.keys.LimitKey(), Log: s.log})
	s.signing = signing.New(signing.Options{Store: s.store.SigningKeys(), Feed: s.feed, Audit: s.audit, Now: s.now, Log: s.log, Since: s.metrics.SigningKeySince})
	s.oauth = oauth.New(oauth.Options{
		Environment: s.cfg.Environment,
		Issuer:      func() string { return s.issuer },
		Auth: auth.New(auth.Options{
			Environment: s.cfg.Environment, Clients: records, Orgs: orgRecords, Recorder: s.usage, Limiter: failures,
			Networks: s.networks, Observe: s.metrics.Authenticated, Now: s.now,
		}),
		Clients:   records,
		Tokens:    s.tokens,
		VoidKeys:  &s.voidKeys,
		Signer:    s.signing,
		Catalogue: s.catalogue,
		Issues:    s.usage,
		Quota:     s.quota,
		Revokes:   s.revoke,
		Observe:   s.metrics,
		Audit:     revocations{s.usage},
		OnBehalf:  s.onBehalf.OnBehalf,
		MCP:       s.cfg.Metadata.MCP,
		Records:   []oauth.Records{s.partners, s.keyRecords},
		Now:       s.now,
	})
}

// newQuota makes a quota. chatty is called for each owner that does not cache its
// tokens; nil: nobody looks.
func (s *Server) newQuota(name string, of ratelimit.QuotaOf, q config.Quota, chatty func()) *ratelimit.Quota {
	return ratelimit.NewQuota(ratelimit.QuotaOptions{
		Name: name, Of: of, Store: s.store, Key: s.keys.LimitKey(), Limit: ratelimit.Limit(q.Limit), Enforce: q.Enforced(),
		Now: s.now, Log: s.log, Hit: s.metrics.LimitHit, Over: s.usage.RecordOverLimit, Chatty: chatty,
	})
}
