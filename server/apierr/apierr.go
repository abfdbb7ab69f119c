// Package apierr has the errors that reach a caller over HTTP: a code, a constant
// description, and a cause for the log only. server/web turns them into
// responses. Nothing here knows HTTP.
package apierr

import (
	"errors"
	"time"
)

// Code is an error code of OAuth 2.0 or of the admin API.
type Code string

// Codes, with the section that defines them.
const (
	InvalidRequest       Code = "invalid_request"           // RFC 6749 §5.2
	InvalidClient        Code = "invalid_client"            // RFC 6749 §5.2
	InvalidScope         Code = "invalid_scope"             // RFC 6749 §5.2
	UnauthorizedClient   Code = "unauthorized_client"       // RFC 6749 §5.2
	UnsupportedGrantType Code = "unsupported_grant_type"    // RFC 6749 §5.2
	InvalidTarget        Code = "invalid_target"            // RFC 8707 §2
	UnsupportedResponse  Code = "unsupported_response_type" // RFC 6749 §4.1.2.1
	InvalidToken         Code = "invalid_token"             // RFC 6750 §3.1
	InsufficientScope    Code = "insufficient_scope"        // RFC 6750 §3.1
	Unavailable          Code = "temporarily_unavailable"
	ServerError          Code = "server_error"
	TooManyRequests      Code = "too_many_requests" // RFC 6585 §4
	NoToken              Code = "no_token"          // RFC 6750 §3.1: a challenge without an error
	AccessDenied         Code = "access_denied"

	// Codes of customer tokens.
	VerificationRequired Code = "verification_required" // the scopes need a code
	InvalidVerification  Code = "invalid_verification"  // wrong, used, expired or another's
	NotSent              Code = "not_sent"              // no code could be sent
	NoVerification       Code = "no_verification"       // this server sends no codes

	ClientGeneratedID    Code = "client_generated_id" // JSON:API, Client-Generated IDs
	NotFound             Code = "not_found"
	MethodNotAllowed     Code = "method_not_allowed"
	TooLarge             Code = "too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	Conflict             Code = "conflict"
	PreconditionFailed   Code = "precondition_failed"
)

// Error is an error that a service or a handler returns. Description is a
// constant: it never holds input, a secret or a token.
type Error struct {
	Code        Code
	Description string
	Field       string // the member of the body that is wrong; in a document an attribute, a pointer, or "?" and a query parameter
	Scope       string // what is needed, with InsufficientScope (RFC 6750 §3), VerificationRequired and NoVerification
	Cause       error  // for the log only
	Reason      error  // the sentinel that errors.Is matches, see WithReason; neither sent nor logged
	RetryAfter  time.Duration
}

// New makes an error.
func New(code Code, description string) *Error {
	return &Error{Code: code, Description: description}
}

// Member returns the error for a member of the body that is wrong.
func Member(field, description string) *Error { return New(InvalidRequest, description).At(field) }

// Because returns a copy of e with a cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// At returns a copy of e with the name of the member that is wrong.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// WithReason returns a copy of e that errors.Is takes for reason too, so that
// a caller can say the same thing in a code and words of its protocol.
func (e *Error) WithReason(reason error) *Error {
	c := *e
	c.Reason = reason
	return &c
}

// Is reports whether target is the reason of e.
func (e *Error) Is(target error) bool {
	return e.Reason != nil && errors.Is(e.Reason, target)
}

// After returns a copy of e with how long the caller should wait.
func (e *Error) After(wait time.Duration) *Error {
	c := *e
	c.RetryAfter = wait
	return &c
}

// Error returns code, description and cause, for the log.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Description
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }
