// Package senders brings the one-time codes of customer-token verifications to
// customers: to the terminal of `grantd dev`, to a webhook of the operator's,
// or by Twilio. It owns the words of a message and how hard is tried to send
// it; which code goes to whom, and how often, is its callers' (contract §3).
//
// Codes and telephone numbers reach no log from here, and no error holds one.
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
	Language string // en or es; anything else is read as en
	AppHash  string // of an Android app, 11 characters, or ""; sms only

	OrgID, CustomerID string
	ExpiresAt         time.Time // of the code, always set: no try begins from then on
}

// Sender sends a code. It returns when somebody has taken it on, which need
// not mean that it arrived.
//
// Errors: ErrNotSent.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// ErrNotSent says that nobody took the code on, or that nobody said so. What
// is wrapped around it tells an operator why, without code and number.
var ErrNotSent = errors.New("the code was not sent")
