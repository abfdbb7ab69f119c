package server

import (
	"context"
	"fmt"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/store"
)

// openSender makes the configured sender of codes; nil: none are sent.
func (s *Server) openSender() (senders.Sender, error) {
	cfg := s.cfg.Customers
	switch s.cfg.CodeSender() {
	case config.SenderNone:
		return nil, nil
	case config.SenderWebhook:
		key, err := config.ReadWebhookKey(cfg.Webhook.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("customers.webhook.secret_file: %w", err)
		}
		return senders.NewWebhook(senders.WebhookOptions{
			URL: cfg.Webhook.URL, Key: []byte(key.Reveal()), AllowPrivate: cfg.Webhook.AllowPrivateAddresses, Now: s.now,
		})
	case config.SenderTwilio:
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

// openPhoneKeys reads the keys that phone numbers are encrypted with.
func (s *Server) openPhoneKeys() (err error) {
	if s.phoneKeys, err = phonekeys.Open(s.cfg.Customers.PhoneKeyFile); err != nil {
		return fmt.Errorf("customers.phone_key_file: %w", err)
	}
	return nil
}

// obscuredPhones hides the numbers that limits count from who reads the store.
type obscuredPhones struct {
	codes *ratelimit.Codes
	keys  *phonekeys.File
}

func (o obscuredPhones) TakeCode(ctx context.Context, r ratelimit.CodeRequest) (ratelimit.Refusal, error) {
	r.Phone = o.keys.Obscure(r.Phone)
	return o.codes.TakeCode(ctx, r)
}

func (o obscuredPhones) ReadCodes(ctx context.Context, of ratelimit.CodesOf) (ratelimit.CodesState, error) {
	return o.codes.ReadCodes(ctx, o.obscure(of))
}

func (o obscuredPhones) ResetCodes(ctx context.Context, of ratelimit.CodesOf) error {
	return o.codes.ResetCodes(ctx, o.obscure(of))
}

func (o obscuredPhones) obscure(of ratelimit.CodesOf) ratelimit.CodesOf {
	names := make([]string, len(of.Phones))
	for i, number := range of.Phones {
		names[i] = o.keys.Obscure(number)
	}
	of.Phones = names
	return of
}

// wireCustomers makes the services and handlers of customers and their tokens.
func (s *Server) wireCustomers(sender senders.Sender, orgRecords *registry.Cache[store.Org]) {
	cfg, limits := s.cfg.Customers, s.cfg.Limits
	records := phonekeys.NewCustomers(phonekeys.Options{
		Store: s.store.Customers(), Keys: s.phoneKeys, Log: s.log, Unreadable: s.metrics.PhoneUnreadable,
	})
	codes := obscuredPhones{ratelimit.NewCodes(ratelimit.CodesOptions{
		Store: s.store, Key: s.keys.LimitKey(), Hit: s.metrics.LimitHit,
		PerPhone: ratelimit.Limit(limits.CodesPerPhone), PerCustomer: ratelimit.Limit(limits.CodesPerCustomer),
		PerClient: ratelimit.Limit(limits.CodesPerClient), PerOrg: ratelimit.Limit(limits.CodesPerOrg),
	}), s.phoneKeys}
	s.customers = customers.New(customers.Options{
		Phones: records, Orgs: s.store.Orgs(), Guesses: s.store, Codes: codes, Feed: s.feed, Audit: s.audit, Now: s.now,
	})
	s.customerQuota = s.newQuota(ratelimit.CustomerTokensPerClient, ratelimit.OfClients, limits.CustomerTokensPerClient, nil)
	s.customerTokens = customers.Handler{
		Tokens: customers.NewTokens(customers.TokensOptions{
			Environment: s.cfg.Environment, Live: s.cfg.Live(), ProductName: cfg.ProductName, SandboxCode: cfg.SandboxCode,
			Customers: records, Orgs: orgRecords, Challenges: s.store, Guesses: s.store, Catalogue: s.catalogue,
			Limit: codes, OverLimit: s.usage.RecordOverLimit, Quota: s.customerQuota, Sender: sender, Mint: s.tokens, Audit: s.audit, Observe: s.metrics, Now: s.now,
		}),
		Find: s.tokens, Issues: s.usage,
	}
}
