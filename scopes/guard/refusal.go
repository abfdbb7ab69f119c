package guard

import (
	"net/http"
	"time"
)

// Error codes of refusals, with the section that defines them.
const (
	CodeInvalidRequest    = "invalid_request"                  // RFC 6750 §3.1
	CodeInvalidToken      = "invalid_token"                    // RFC 6750 §3.1
	CodeInsufficientScope = "insufficient_scope"               // RFC 6750 §3.1
	CodeInsufficientAuth  = "insufficient_user_authentication" // RFC 9470 §3
	CodeUnavailable       = "temporarily_unavailable"          // RFC 6749 §4.1.2.1, with 503
)

// Refusal is the error of a check: why a request must not be served, and what to
// tell the caller. Guard.Refuse writes it as an HTTP response.
type Refusal struct {
	Status      int           // of HTTP: 400, 401, 403 or 503
	Code        string        // "" if the request has no credentials (RFC 6750 §3.1)
	Description string        // a constant text: it holds neither the token nor any other input
	Scope       string        // what the request needs, separated by spaces
	MaxAge      time.Duration // with CodeInsufficientAuth: how long ago the customer may have entered a code
	RetryAfter  time.Duration // with 503
	Cause       error         // for the log; callers never see it
}

// Error returns the code, the description and the cause, for the log.
func (r *Refusal) Error() string {
	s := r.Code
	if s == "" {
		s = "no_token"
	}
	if r.Description != "" {
		s += ": " + r.Description
	}
	if r.Cause != nil {
		s += ": " + r.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// minRetryAfter is the least that a 503 asks callers to wait: HTTP counts in
// seconds.
const minRetryAfter = time.Second

// unavailable is the refusal if nobody can say whether the token is active. It is
// not a 401: the token may be active, and the caller would throw it away.
func unavailable(cause error, after time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Cause: cause, RetryAfter: max(after, minRetryAfter),
		Description: "the token cannot be checked at the moment; try again",
	}
}

// inactive is the refusal of a token that the authorization server says is not
// active. It says no more: what else is wrong is nobody's business.
func inactive() *Refusal {
	return invalidToken("the token is not active, or is not for this resource server")
}

func invalidToken(description string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: CodeInvalidToken, Description: description}
}

func invalidRequest(description string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: CodeInvalidRequest, Description: description}
}

// forbidden is the refusal of a token that is active and must not be used for this
// request. RFC 6750 has one code for that, whatever the token lacks.
func forbidden(description, scope string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: CodeInsufficientScope, Description: description, Scope: scope}
}

// noCredentials is the refusal of a request without a token. It has no error code
// (RFC 6750 §3.1), but says what is needed.
func noCredentials(scope string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Description: "a bearer token is needed in the Authorization header", Scope: scope}
}
