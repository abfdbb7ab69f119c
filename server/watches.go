package server

import (
	"context"

	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// watches follow the credentials that end by themselves.
type watches struct {
	secrets       *secretwatch.Watch[store.Client]
	partnerTokens *secretwatch.Watch[store.Partner]
	keys          *secretwatch.Watch[store.APIKey]
}

// newWatches makes the watches. The feed must not have started.
func (s *Server) newWatches() watches {
	w := watches{
		secrets:       secretwatch.NewWatch(secretwatch.Secrets(s.store.Clients()), s.feed, s.now, s.log),
		partnerTokens: secretwatch.NewWatch(secretwatch.PartnerTokens(s.store.Partners()), s.feed, s.now, s.log),
		keys:          secretwatch.NewWatch(secretwatch.APIKeys(s.store.APIKeys(), s.orgRecords), s.feed, s.now, s.log),
	}
	s.metrics.CountExpiring(w.secrets.CountEnding, w.partnerTokens.CountEnding, w.keys.CountEnding)
	return w
}

// start follows until Stop of the server.
func (w watches) start(s *Server) {
	w.secrets.Start()
	s.onStop("watch of secrets", func(context.Context) error { w.secrets.Stop(); return nil })
	w.partnerTokens.Start()
	s.onStop("watch of partner tokens", func(context.Context) error { w.partnerTokens.Stop(); return nil })
	w.keys.Start()
	s.onStop("watch of API keys", func(context.Context) error { w.keys.Stop(); return nil })
}
