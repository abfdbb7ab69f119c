package server

import (
	"github.com/grantd/grantd/server/apikeys"
	"github.com/grantd/grantd/server/ratelimit"
)

// wireKeys makes the service of API keys and the handler for the clients that manage
// them.
func (s *Server) wireKeys() {
	s.keyRecords = apikeys.New(apikeys.Options{
		Store: s.store.APIKeys(), Orgs: s.store.Orgs(), OrgRecords: s.orgRecords, Uses: s.store, Credentials: s.tokens,
		Catalogue: s.catalogue, Feed: s.feed, Audit: s.audit, Now: s.now, TokenPrefix: s.cfg.TokenPrefix(),
	})
	s.keyQuota = s.newQuota(ratelimit.KeyChangesPerClient, ratelimit.OfClients, s.cfg.Limits.KeyChangesPerClient, nil)
	s.apiTokens = apikeys.Handler{Keys: s.keyRecords, Find: s.tokens, Quota: s.keyQuota}
}
