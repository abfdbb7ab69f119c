package senders

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// checkCreated returns nil if the response says that Twilio made the message or the
// call. Errors: refusedError, errNotTwilio, and those of the connection and of JSON.
func checkCreated(status int, body io.Reader) error {
	var reply struct {
		SID  string `json:"sid"`
		Code int    `json:"code"`
	}
	err := json.NewDecoder(body).Decode(&reply)
	if status < 200 || status > 299 {
		// Twilio's codes have five digits: a longer number may be the customer's phone.
		if err != nil || reply.Code < 10_000 || reply.Code > 99_999 {
			reply.Code = 0
		}
		return refusedError{status, reply.Code}
	}
	if err == nil && reply.SID == "" {
		err = errNotTwilio
	}
	return err
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
