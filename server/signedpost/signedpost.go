// Package signedpost posts JSON to a webhook of the operator, signed so that the
// receiver knows the sender and the time. It refuses addresses that are not on the
// public internet and follows no redirect. It makes one try; its callers decide how
// often they try. Its errors hold neither the body nor the URL.
package signedpost

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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
	// Try is how long one try may take, its response included.
	Try = 3 * time.Second
	// DialTimeout is how long it may take to connect.
	DialTimeout = 2 * time.Second
	// MaxResponse is how much of a response is read, to reuse its connection.
	MaxResponse = 64 << 10
)

// Options are what a Poster needs.
type Options struct {
	Setting      string // the section of the configuration, for errors: customers.webhook
	URL          string
	Key          []byte // signs the posts; the receiver has it too
	AllowPrivate bool   // the receiver may be in the operator's network
	Now          func() time.Time
}

// Poster posts to one URL.
type Poster struct {
	Client *http.Client

	setting, url string
	key          []byte
	now          func() time.Time
}

// Failure is why a try failed. Why is always a text of this package: the texts of
// others could hold what was sent, or secrets from the URL.
type Failure struct {
	Why   string
	Again bool // another try may succeed
}

// New returns a Poster. It refuses a URL that cannot be called, and an empty key.
func New(o Options) (*Poster, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, errors.New(o.Setting + ".url is not an absolute http or https URL")
	}
	if len(o.Key) == 0 {
		return nil, errors.New(o.Setting + ".secret_file holds no key to sign with")
	}
	dialer := &net.Dialer{Timeout: DialTimeout}
	if !o.AllowPrivate {
		dialer.ControlContext = refusePrivate(o.Setting)
	}
	return &Poster{
		setting: o.Setting, url: o.URL, key: o.Key, now: o.Now,
		Client: &http.Client{
			Transport: &http.Transport{
				// A proxy would resolve the host itself, and the address that is
				// checked would be the proxy's.
				Proxy:                  nil,
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    DialTimeout,
				MaxResponseHeaderBytes: MaxResponse,
				MaxIdleConnsPerHost:    16,
				IdleConnTimeout:        30 * time.Second,
			},
			// A redirect would send the body to a URL that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Post makes one try, with the current time and its signature. The id is the same for
// every try with the same body. It returns nil if the receiver responds with 2xx.
func (p *Poster) Post(ctx context.Context, id string, body []byte) *Failure {
	ctx, cancel := context.WithTimeout(ctx, Try)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return &Failure{Why: p.setting + ".url cannot be called"}
	}
	stamp := strconv.FormatInt(p.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "grantd")
	// Because of this header, Go's transport sends the request again by itself if
	// a reused connection turns out to be closed. It is identical then.
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("Grantd-Timestamp", stamp)
	req.Header.Set("Grantd-Signature", "v1="+sign(p.key, stamp, body))
	res, err := p.Client.Do(req)
	if err != nil {
		return ExplainNoResponse(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, MaxResponse) // the body does not matter
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
func checkStatus(status int) *Failure {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return &Failure{Why: fmt.Sprintf("the receiver answered %d: redirects are not followed, set the final address", status)}
	}
	again := status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
	return &Failure{Why: fmt.Sprintf("the receiver answered %d", status), Again: again}
}
