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
	// longestSenderID tells the id of a messaging service from a sender id
	// that begins with MG too.
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

// Twilio sends codes by Twilio's SMS and voice.
type Twilio struct {
	o         TwilioOptions
	byService bool // From is a messaging service
	base      *url.URL
	next      http.RoundTripper
}

var _ Sender = (*Twilio)(nil)

// NewTwilio makes a Twilio. Errors: options that Twilio would refuse, without
// saying what they hold.
func NewTwilio(o TwilioOptions) (*Twilio, error) {
	if !alphanumeric(o.AccountSID) || !alphanumeric(o.AuthToken) {
		return nil, errors.New("customers.twilio.account_sid and the token in auth_token_file must be of letters and digits")
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
			MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        30 * time.Second,
		},
	}, nil
}

// Send hands the code to Twilio. Twilio has no idempotency keys: what may have
// reached it is not sent again.
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
		return &failure{why: "it has no such channel"}
	}
	if err == nil && sid == nil {
		err = errNotTwilio
	}
	if err != nil {
		return untaken(err)
	}
	return nil
}

// service is Twilio's client for one call: it takes no context, so its
// transport brings it. It is put together by hand, because its constructor
// would let TWILIO_EDGE and TWILIO_REGION of the environment choose the host.
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
