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
	webhookTry  = 3 * time.Second // its response included
	dialTimeout = 2 * time.Second
	maxResponse = 64 << 10 // how much of a response is read, to reuse its connection
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
	url    string
	key    []byte
	now    func() time.Time
	client *http.Client
}

var _ Sender = (*Webhook)(nil)

// NewWebhook returns a Webhook. It refuses a URL that cannot be called, and an empty
// key.
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
				// A proxy would resolve the host itself, and the address that is
				// checked would be the proxy's.
				Proxy:                  nil,
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    dialTimeout,
				MaxResponseHeaderBytes: maxResponse,
				MaxIdleConnsPerHost:    16,
				IdleConnTimeout:        30 * time.Second,
			},
			// A redirect would send the code to a URL that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
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
	AppHash    string    `json:"app_hash"`
	OrgID      string    `json:"org_id"`
	CustomerID string    `json:"customer_id"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// Send posts until the receiver responds with 2xx, as long as another try may
// succeed.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(payload{
		ID: m.ID, Channel: m.Channel, Phone: m.Phone, Code: m.Code, Text: Text(m), Language: languageOf(m.Language), AppHash: m.AppHash,
		OrgID: m.OrgID, CustomerID: m.CustomerID, ExpiresAt: m.ExpiresAt.UTC(),
	})
	if err != nil {
		return fmt.Errorf("%w: webhook: the message cannot be written as JSON", ErrNotSent)
	}
	return attempts{"webhook", w.now}.send(ctx, m, func(ctx context.Context) *failure { return w.post(ctx, m.ID, body) })
}

// post makes one try: a new time and signature, with the same id and body.
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
	// Because of this header, Go's transport sends the request again by itself if
	// a reused connection turns out to be closed. It is identical then.
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("Grantd-Timestamp", stamp)
	req.Header.Set("Grantd-Signature", "v1="+sign(w.key, stamp, body))
	res, err := w.client.Do(req)
	if err != nil {
		return explainNoResponse(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxResponse) // the body does not matter
	return checkStatus(res.StatusCode)
}

// sign returns the HMAC-SHA-256 of the time and the body, so that neither can be
// changed, and an old post cannot be sent again as a new one.
func sign(key []byte, stamp string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(stamp + "."))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// checkStatus returns why the status means failure; nil: it means success.
func checkStatus(status int) *failure {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return &failure{why: fmt.Sprintf("the receiver answered %d: redirects are not followed, set the final address", status)}
	}
	again := status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
	return &failure{why: fmt.Sprintf("the receiver answered %d", status), again: again}
}
