package server

import (
	"fmt"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/store"
)

// openSender makes the configured sender of codes.
func (s *Server) openSender() (senders.Sender, error) {
	cfg := s.cfg.Customers
	switch cfg.Sender {
	case "webhook":
		key, err := config.ReadSecretFile(cfg.Webhook.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("customers.webhook.secret_file: %w", err)
		}
		return senders.NewWebhook(senders.WebhookOptions{
			URL: cfg.Webhook.URL, Key: []byte(key.Reveal()), AllowPrivate: cfg.Webhook.AllowPrivateAddresses, Now: s.now,
		})
	case "twilio":
		token, err := config.ReadSecretFile(cfg.Twilio.AuthTokenFile)
		if err != nil {
			return nil, fmt.Errorf("customers.twilio.auth_token_file: %w", err)
		}
		return senders.NewTwilio(senders.TwilioOptions{
			AccountSID: cfg.Twilio.AccountSID, AuthToken: token.Reveal(), From: cfg.Twilio.From, BaseURL: cfg.Twilio.BaseURL, Now: s.now,
		})
	}
	return senders.NewLog(s.terminal, s.log), nil
}

// wireCustomers makes the services and handlers of customers and their tokens.
func (s *Server) wireCustomers(sender senders.Sender, orgRecords *registry.Cache[store.Org]) {
	cfg, limits := s.cfg.Customers, s.cfg.Limits
	s.customers = customers.New(customers.Options{
		Store: s.store.Customers(), Orgs: s.store.Orgs(), Guesses: s.store, Feed: s.feed, Audit: s.audit, Now: s.now,
	})
	s.customerQuota = s.newQuota(ratelimit.CustomerTokensPerClient, ratelimit.OfClients, limits.CustomerTokensPerClient, nil)
	s.customerTokens = customers.Handler{
		Tokens: customers.NewTokens(customers.TokensOptions{
			Environment: s.cfg.Environment, Live: s.cfg.Live(), ProductName: cfg.ProductName, SandboxCode: cfg.SandboxCode,
			Customers: s.store.Customers(), Orgs: orgRecords, Challenges: s.store, Guesses: s.store, Catalogue: s.catalogue,
			Limit: ratelimit.NewCodes(ratelimit.CodesOptions{
				Store: s.store, Key: s.keys.LimitKey(), Hit: s.metrics.LimitHit,
				PerPhone: ratelimit.Limit(limits.CodesPerPhone), PerCustomer: ratelimit.Limit(limits.CodesPerCustomer),
				PerClient: ratelimit.Limit(limits.CodesPerClient), PerOrg: ratelimit.Limit(limits.CodesPerOrg),
			}),
			Quota: s.customerQuota, Sender: sender, Mint: s.tokens, Audit: s.audit, Observe: s.metrics, Now: s.now,
		}),
		Find: s.tokens, Issues: s.usage,
	}
}
