package server

import (
	"context"
	"fmt"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/notices"
	"github.com/grantd/grantd/server/signedpost"
)

// openNotices makes the service that tells the operator's webhook what happens, if one
// is configured.
func (s *Server) openNotices() error {
	webhook := s.cfg.Notices.Webhook
	if webhook.URL == "" {
		return nil
	}
	key, err := config.ReadWebhookKey(webhook.SecretFile)
	if err != nil {
		return fmt.Errorf("notices.webhook.secret_file: %w", err)
	}
	post, err := signedpost.New(signedpost.Options{
		Setting: "notices.webhook", URL: webhook.URL, Key: []byte(key.Reveal()), AllowPrivate: webhook.AllowPrivateAddresses, Now: s.now,
	})
	if err != nil {
		return err
	}
	s.notices = notices.New(notices.Options{
		Environment: s.cfg.Environment, Issuer: func() string { return s.issuer }, Store: s.store, Orgs: s.orgRecords, Shared: s.store.Shared(),
		Post: post, Certificates: s.certificates, Observe: s.metrics, Now: s.now, Log: s.log,
	})
	return nil
}

// startNotices sends until Stop.
func (s *Server) startNotices() {
	if s.notices == nil {
		return
	}
	s.notices.Start()
	s.onStop("notices", func(ctx context.Context) error { s.notices.Stop(ctx); return nil })
}

// certificates returns those that the listeners use now.
func (s *Server) certificates() (list []notices.Certificate) {
	for _, l := range s.listeners {
		if l.pair != nil {
			list = append(list, notices.Certificate{Listener: l.name, Leaf: l.pair.Leaf()})
		}
	}
	return list
}
