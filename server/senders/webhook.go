package senders

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grantd/grantd/server/signedpost"
)

// Bounds that Twilio shares with webhooks.
const (
	dialTimeout = signedpost.DialTimeout
	maxResponse = signedpost.MaxResponse
)

// WebhookOptions are what a Webhook needs.
type WebhookOptions struct {
	URL          string
	Key          []byte // signs the posts; the receiver has it too
	AllowPrivate bool   // the receiver may be in the operator's network
	Now          func() time.Time
}

// Webhook posts codes to a URL. WEBHOOK.md describes the posts to their receiver.
type Webhook struct {
	post *signedpost.Poster
	now  func() time.Time
}

var _ Sender = (*Webhook)(nil)

// NewWebhook returns a Webhook. It refuses a URL that cannot be called, and an empty
// key.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	post, err := signedpost.New(signedpost.Options{Setting: "customers.webhook", URL: o.URL, Key: o.Key, AllowPrivate: o.AllowPrivate, Now: o.Now})
	if err != nil {
		return nil, err
	}
	return &Webhook{post, o.Now}, nil
}

// payload is the body of a post. Later versions may add members; none is ever left
// out.
type payload struct {
	ID         string    `json:"id"`
	Channel    Channel   `json:"channel"`
	Phone      string    `json:"phone"`
	Code       string    `json:"code"`
	Text       string    `json:"text"`
	Language   string    `json:"language"`
	TextIn     string    `json:"text_language"`
	AppHash    string    `json:"app_hash"`
	OrgID      string    `json:"org_id"`
	CustomerID string    `json:"customer_id"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Send posts until the receiver responds with 2xx, as long as another try may
// succeed.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(payload{
		ID: m.ID, Channel: m.Channel, Phone: m.Phone, Code: m.Code, Text: Text(m), Language: cmp.Or(m.Language, english), TextIn: textLanguage(m.Language), AppHash: m.AppHash,
		OrgID: m.OrgID, CustomerID: m.CustomerID, ExpiresAt: m.ExpiresAt.UTC(),
	})
	if err != nil {
		return fmt.Errorf("%w: webhook: the message cannot be written as JSON", ErrNotSent)
	}
	return attempts{"webhook", w.now}.send(ctx, m, func(ctx context.Context) *failure { return failureOf(w.post.Post(ctx, m.ID, body)) })
}
