package senders

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	twilioURL = "https://api.twilio.com"
	// longestSenderID distinguishes the id of a messaging service from a sender
	// id that also begins with MG.
	longestSenderID = 11
)

// TwilioOptions are what a Twilio needs.
type TwilioOptions struct {
	AccountSID, AuthToken string
	// From is a number, a sender id, or a messaging service (MG…), which
	// cannot call.
	From    string
	BaseURL string // empty: Twilio's own
	Now     func() time.Time
}

// Twilio sends codes by SMS and voice through Twilio. It makes the two requests that
// it needs itself: Twilio's library has 27 MB of source, and each first build would
// compile it.
type Twilio struct {
	o         TwilioOptions
	byService bool // From is a messaging service
	base      *url.URL
	client    *http.Client
}

var _ Sender = (*Twilio)(nil)

// NewTwilio returns a Twilio. It refuses options that Twilio would refuse; its
// errors do not show their values.
func NewTwilio(o TwilioOptions) (*Twilio, error) {
	if !alphanumeric(o.AccountSID) || !alphanumeric(o.AuthToken) {
		return nil, errors.New("customers.twilio.account_sid and the token in auth_token_file must consist of letters and digits")
	}
	base, err := url.Parse(cmp.Or(o.BaseURL, twilioURL))
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" {
		return nil, errors.New("customers.twilio.base_url is not an absolute http or https URL")
	}
	return &Twilio{
		o:         o,
		byService: strings.HasPrefix(o.From, "MG") && len(o.From) > longestSenderID,
		base:      base,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment, // some networks have no other way out
				DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
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

// Send sends the code through Twilio. Twilio has no idempotency keys, so Send does
// not repeat a request that may have reached it.
func (t *Twilio) Send(ctx context.Context, m Message) error {
	return attempts{"twilio", t.o.Now}.send(ctx, m, func(ctx context.Context) *failure { return t.create(ctx, m) })
}

func (t *Twilio) create(ctx context.Context, m Message) *failure {
	form := url.Values{"To": {m.Phone}}
	switch m.Channel {
	case SMS:
		from := "From"
		if t.byService {
			from = "MessagingServiceSid"
		}
		form.Set(from, t.o.From)
		form.Set("Body", Text(m))
		return t.post(ctx, "Messages", form)
	case Call:
		if t.byService {
			return &failure{why: "customers.twilio.from is a messaging service, which cannot call: calls need a number"}
		}
		form.Set("From", t.o.From)
		form.Set("Twiml", Speech(m))
		return t.post(ctx, "Calls", form)
	}
	return &failure{why: "it does not support this channel"}
}

// post makes a message or a call.
func (t *Twilio) post(ctx context.Context, resource string, form url.Values) *failure {
	u := t.base.JoinPath("2010-04-01", "Accounts", t.o.AccountSID, resource+".json").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, strings.NewReader(form.Encode()))
	if err != nil {
		return &failure{why: "customers.twilio.base_url cannot be called"}
	}
	req.SetBasicAuth(t.o.AccountSID, t.o.AuthToken)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "grantd")
	res, err := t.client.Do(req)
	if err == nil {
		defer res.Body.Close()
		err = checkCreated(res.StatusCode, io.LimitReader(res.Body, maxResponse))
	}
	if err != nil {
		return explainRefusal(err)
	}
	return nil
}

func alphanumeric(s string) bool {
	return s != "" && strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}
