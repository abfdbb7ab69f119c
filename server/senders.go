package server

import (
	"fmt"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/senders"
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
