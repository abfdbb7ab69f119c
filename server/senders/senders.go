// Package senders brings the one-time codes of customer-token verifications to
// customers: to the terminal of `grantd dev`, to a webhook of the operator, or by
// Twilio. It owns the text of a message and how often it tries to send one. Its
// callers decide which code to send to whom, and how often.
//
// It writes no codes and phone numbers to a log, and puts none into an error.
package senders

import (
	"context"
	"errors"
	"time"
)

// Channel is how a code reaches its customer.
type Channel string

// The channels.
const (
	SMS  Channel = "sms"
	Call Channel = "call"
)

// Message is one code on its way to a customer.
type Message struct {
	ID       string // idempotency key: the same for every try
	Channel  Channel
	Phone    string // E.164
	Code     string // six digits
	Name     string // in sandbox the product's, in live the org's
	Language string // one of Languages; "" counts as en
	AppHash  string // of an Android app, 11 characters, or ""; sms only

	OrgID, CustomerID string
	ExpiresAt         time.Time // of the code, always set: no try starts at or after it
}

// Sender sends a code. It returns when a receiver has accepted the code, which does
// not mean that the code has arrived.
//
// Errors: ErrNotSent.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// ErrNotSent means that no receiver accepted the code, as far as is known. The
// error that wraps it tells an operator why, without the code and the number.
var ErrNotSent = errors.New("the code was not sent")
