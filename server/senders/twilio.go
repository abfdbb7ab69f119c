package senders

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	twilio "github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
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

// Twilio sends codes by SMS and voice through Twilio.
type Twilio struct {
	o         TwilioOptions
	byService bool // From is a messaging service
	base      *url.URL
	next      http.RoundTripper
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
		next: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment, // some networks have no other way out
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			MaxResponseHeaderBytes: maxResponse,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        30 * time.Second,
		},
	}, nil
}

// Send sends the code through Twilio. Twilio has no idempotency keys, so Send does
// not repeat a request that may have reached it.
func (t *Twilio) Send(ctx context.Context, m Message) error {
	return attempts{"twilio", t.o.Now}.send(ctx, m, func(ctx context.Context) *failure { return t.create(ctx, m) })
}

func (t *Twilio) create(ctx context.Context, m Message) *failure {
	service := t.service(ctx)
	var sid *string
	var err error
	switch m.Channel {
	case SMS:
		p := (&api.CreateMessageParams{}).SetTo(m.Phone).SetBody(Text(m))
		if t.byService {
			p.SetMessagingServiceSid(t.o.From)
		} else {
			p.SetFrom(t.o.From)
		}
		var made *api.ApiV2010Message
		if made, err = service.CreateMessage(p); err == nil {
			sid = made.Sid
		}
	case Call:
		if t.byService {
			return &failure{why: "customers.twilio.from is a messaging service, which cannot call: calls need a number"}
		}
		p := (&api.CreateCallParams{}).SetTo(m.Phone).SetFrom(t.o.From).SetTwiml(Speech(m))
		var made *api.ApiV2010Call
		if made, err = service.CreateCall(p); err == nil {
			sid = made.Sid
		}
	default:
		return &failure{why: "it does not support this channel"}
	}
	if err == nil && sid == nil {
		err = errNotTwilio
	}
	if err != nil {
		return explainRefusal(err)
	}
	return nil
}

// service returns Twilio's client for one call. The client accepts no context, so
// its transport adds it. It is built without its constructor, which would let the
// environment variables TWILIO_EDGE and TWILIO_REGION choose the host.
func (t *Twilio) service(ctx context.Context) *api.ApiService {
	c := &twilio.Client{
		Credentials: twilio.NewCredentials(t.o.AccountSID, t.o.AuthToken),
		HTTPClient:  &http.Client{Transport: transport{ctx: ctx, base: t.base, next: t.next}},
	}
	c.SetAccountSid(t.o.AccountSID)
	return api.NewApiService(&twilio.RequestHandler{Client: c})
}

func alphanumeric(s string) bool {
	return s != "" && strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}
