package senders

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	webhookTry  = 3 * time.Second // its answer included
	dialTimeout = 2 * time.Second
	maxAnswer   = 64 << 10 // what is read of an answer, to use its connection again
)

// WebhookOptions are what a Webhook needs.
type WebhookOptions struct {
	URL          string
	Key          []byte // signs; the receiver has it too
	AllowPrivate bool   // the receiver may be inside the operator's network
	Now          func() time.Time
}

// Webhook posts codes to a URL. WEBHOOK.md tells its receiver what to expect.
type Webhook struct {
	url    string
	key    []byte
	now    func() time.Time
	client *http.Client
}

var _ Sender = (*Webhook)(nil)

// NewWebhook makes a Webhook. Errors: a URL that cannot be called, no key.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, errors.New("customers.webhook.url is not an absolute http or https URL")
	}
	if len(o.Key) == 0 {
		return nil, errors.New("customers.webhook.secret_file holds no key to sign with")
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !o.AllowPrivate {
		dialer.ControlContext = refusePrivate
	}
	return &Webhook{
		url: o.URL, key: o.Key, now: o.Now,
		client: &http.Client{
			Transport: &http.Transport{
				// A proxy would look the host up itself: the address that is
				// checked would be the proxy's.
				Proxy:                  nil,
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    dialTimeout,
				MaxResponseHeaderBytes: maxAnswer,
				MaxIdleConnsPerHost:    16,
				IdleConnTimeout:        30 * time.Second,
			},
			// A redirect would take the code to where nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// posted is the body of a post. Members may be added; none is left out.
type posted struct {
	ID         string    `json:"id"`
	Channel    Channel   `json:"channel"`
	Phone      string    `json:"phone"`
	Code       string    `json:"code"`
	Text       string    `json:"text"`
	Language   string    `json:"language"`
	AppHash    string    `json:"app_hash"`
	OrgID      string    `json:"org_id"`
	CustomerID string    `json:"customer_id"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Send posts until the receiver answers 2xx, for as long as that may help.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(posted{
		ID: m.ID, Channel: m.Channel, Phone: m.Phone, Code: m.Code, Text: Text(m), Language: known(m.Language), AppHash: m.AppHash,
		OrgID: m.OrgID, CustomerID: m.CustomerID, ExpiresAt: m.ExpiresAt.UTC(),
	})
	if err != nil {
		return fmt.Errorf("%w: webhook: the message cannot be written as JSON", ErrNotSent)
	}
	return attempts{"webhook", w.now}.send(ctx, m, func(ctx context.Context) *failure { return w.post(ctx, m.ID, body) })
}

// post is one try: a fresh time and signature around the same id and body.
func (w *Webhook) post(ctx context.Context, id string, body []byte) *failure {
	ctx, cancel := context.WithTimeout(ctx, webhookTry)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return &failure{why: "customers.webhook.url cannot be called"}
	}
	stamp := strconv.FormatInt(w.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "grantd")
	// Go's transport sends what has this header once more by itself if a kept
	// connection turns out to be closed: that is the same try, to the letter.
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("Grantd-Timestamp", stamp)
	req.Header.Set("Grantd-Signature", "v1="+sign(w.key, stamp, body))
	res, err := w.client.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // nothing in it counts
	return answered(res.StatusCode)
}

// sign is HMAC-SHA-256 over the time and the body, so that neither can be
// changed, nor an old post be sent again as a new one.
func sign(key []byte, stamp string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(stamp + "."))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// answered reads a status; nil is success.
func answered(status int) *failure {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return &failure{why: fmt.Sprintf("the receiver answered %d: redirects are not followed, set the final address", status)}
	}
	again := status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
	return &failure{why: fmt.Sprintf("the receiver answered %d", status), again: again}
}
