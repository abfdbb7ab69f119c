package auth

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/refusal"
)

// Client authentication methods (RFC 7591 §2).
const (
	MethodBasic = "client_secret_basic"
	MethodPost  = "client_secret_post"
)

// Methods lists what this server supports.
var Methods = []string{MethodBasic, MethodPost}

// maxBasic is the most that an HTTP Basic header may hold, in bytes: form
// encoding turns one byte into three.
const maxBasic = 3*(field.MaxID+credential.MaxLength) + 1

// Presented is what a request holds for client authentication. Empty parameters
// count as absent (RFC 6749 §3.2).
type Presented struct {
	Authorization []string // all Authorization header values
	ClientID      string
	ClientSecret  string
	Assertion     string // client_assertion
	AssertionType string
}

// Credentials is one client id and secret, decoded.
type Credentials struct {
	ClientID string
	Secret   string
	Method   string
}

var (
	errTwoHeaders  = apierr.New(apierr.InvalidRequest, "more than one Authorization header")
	errTwoMethods  = apierr.New(apierr.InvalidRequest, "more than one client authentication method: send the secret either by HTTP Basic or in the body")
	errIDsDiffer   = apierr.New(apierr.InvalidRequest, "client_id in the body is not the one in the Authorization header")
	errAssertType  = apierr.New(apierr.InvalidRequest, "client_assertion and client_assertion_type must come together")
	errUnsupported = apierr.New(apierr.InvalidClient, "client authentication failed: this method is not supported here").Because(refusal.MethodUnsupported)
	errEmptyHeader = apierr.New(apierr.InvalidClient, "client authentication failed: the Authorization header is empty: leave it out if the secret is in the body").Because(refusal.EmptyHeader)
	// errFailed is the same for a client or secret that is missing, unknown,
	// deactivated or wrong. Its causes are only for the log.
	errFailed       = apierr.New(apierr.InvalidClient, "client authentication failed")
	errNothingSent  = errFailed.Because(refusal.NothingSent)
	errNoSecret     = errFailed.Because(refusal.NoSecret)
	errNoID         = errFailed.Because(refusal.NoClientID)
	errUnreadable   = errFailed.Because(refusal.BasicUnreadable)
	errNotEncoded   = errFailed.Because(refusal.BasicNotEncoded)
	errIDForm       = errFailed.Because(refusal.ClientIDForm)
	errSecretLength = errFailed.Because(refusal.SecretTooLong)
)

// Failed returns the error of a client that is not authenticated: the same for every
// cause, which is only for the log.
func Failed(cause refusal.Cause) error { return errFailed.Because(cause) }

// IsNone reports whether the request holds nothing for client authentication.
func (p Presented) IsNone() bool {
	return len(p.Authorization) == 0 && p.ClientID == "" && p.ClientSecret == "" && p.Assertion == "" && p.AssertionType == ""
}

// Bearer returns the token of an Authorization: Bearer header. ok is false
// unless there is exactly one header, of that scheme (RFC 6750 §2.1).
func (p Presented) Bearer() (token string, ok bool) {
	if len(p.Authorization) != 1 {
		return "", false
	}
	scheme, rest, _ := strings.Cut(p.Authorization[0], " ")
	return strings.TrimLeft(rest, " "), strings.EqualFold(scheme, "Bearer")
}

// Credentials reads the client's id and secret, which must come by exactly one
// method. Errors: apierr.InvalidRequest if there are several methods or the ids
// differ, apierr.InvalidClient if they cannot be read, with the cause. If there is
// an id, it is returned in spite of the error.
func (p Presented) Credentials() (Credentials, error) {
	switch {
	case len(p.Authorization) > 1:
		return Credentials{}, errTwoHeaders
	case len(p.Authorization) == 1 && strings.Trim(p.Authorization[0], " ") == "":
		// An empty header is not a method, so it does not count as a second one.
		return Credentials{ClientID: p.ClientID}, errEmptyHeader
	case (p.Assertion == "") != (p.AssertionType == ""):
		return Credentials{}, errAssertType
	case p.Assertion != "" && (p.ClientSecret != "" || len(p.Authorization) > 0):
		return Credentials{}, errTwoMethods
	case p.Assertion != "":
		return Credentials{}, errUnsupported
	case len(p.Authorization) == 0:
		return p.post()
	}
	return p.basic()
}

func (p Presented) post() (Credentials, error) {
	c := Credentials{ClientID: p.ClientID, Secret: p.ClientSecret, Method: MethodPost}
	return c, c.check()
}

// basic decodes an HTTP Basic header (RFC 7617), whose parts are form-encoded
// (RFC 6749 §2.3.1).
func (p Presented) basic() (Credentials, error) {
	if p.ClientSecret != "" {
		return Credentials{}, errTwoMethods
	}
	scheme, encoded, _ := strings.Cut(p.Authorization[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Credentials{}, errUnsupported
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil || len(raw) > maxBasic {
		return Credentials{}, errUnreadable
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	if !ok {
		return Credentials{}, errUnreadable
	}
	c := Credentials{Method: MethodBasic}
	if c.ClientID, err = url.QueryUnescape(id); err != nil {
		return Credentials{}, errNotEncoded
	}
	if c.Secret, err = url.QueryUnescape(secret); err != nil {
		return Credentials{ClientID: c.ClientID}, errNotEncoded
	}
	if p.ClientID != "" && p.ClientID != c.ClientID {
		return Credentials{}, errIDsDiffer
	}
	return c, c.check()
}

// EndsInLineBreak reports whether the secret ends with a line break, which no secret of
// grantd's does: it is the end of a file, or of what echo prints.
func (c Credentials) EndsInLineBreak() bool { return strings.HasSuffix(c.Secret, "\n") }

func (c Credentials) check() error {
	switch {
	case c.ClientID == "" && c.Secret == "":
		return errNothingSent
	case c.ClientID == "":
		return errNoID
	case !field.ValidClientID(c.ClientID):
		return errIDForm
	case c.Secret == "":
		return errNoSecret
	case len(c.Secret) > credential.MaxLength:
		return errSecretLength
	}
	return nil
}
