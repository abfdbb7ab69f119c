package senders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// transport gives requests to Twilio their context and host, and hides from the
// client what it would put into its errors.
type transport struct {
	ctx  context.Context
	base *url.URL
	next http.RoundTripper
}

// RoundTrip returns a response only if its status is 2xx. Errors: refusedError, and
// those of the connection.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(t.ctx)
	req.URL.Scheme, req.URL.Host = t.base.Scheme, t.base.Host
	req.URL.Path = strings.TrimSuffix(t.base.Path, "/") + req.URL.Path
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body := res.Body
	limited := io.LimitReader(body, maxResponse)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer body.Close()
		var reply struct {
			Code int `json:"code"`
		}
		// Twilio's codes have five digits: a longer number may be the customer's phone.
		if err := json.NewDecoder(limited).Decode(&reply); err != nil || reply.Code < 10_000 || reply.Code > 99_999 {
			reply.Code = 0
		}
		return nil, refusedError{res.StatusCode, reply.Code}
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{limited, body}
	return res, nil
}

// refusedError is a response other than 2xx. It leaves out Twilio's message, which
// names the customer's number.
type refusedError struct{ status, code int }

func (e refusedError) Error() string {
	if e.code == 0 {
		return fmt.Sprintf("Twilio answered %d", e.status)
	}
	return fmt.Sprintf("Twilio answered %d with code %d: see https://www.twilio.com/docs/errors/%d", e.status, e.code, e.code)
}

var errNotTwilio = errors.New("the server at customers.twilio.base_url is not Twilio")

// explainRefusal returns why Twilio did not accept a code. Only if no connection was
// made is it certain that nothing was sent, so that another try is safe.
func explainRefusal(err error) *failure {
	var refused refusedError
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &refused):
		return &failure{why: refused.Error()}
	case errors.Is(err, errNotTwilio), errors.As(err, &syntax), errors.As(err, &mistyped):
		return &failure{why: errNotTwilio.Error()}
	}
	f := explainNoResponse(err)
	f.again = errors.Is(err, syscall.ECONNREFUSED)
	return f
}
