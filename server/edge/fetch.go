package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/oauth"
)

// Results of a request for a token, for the metrics.
const (
	fetchedOK          = "ok"
	fetchedRefused     = "refused"
	fetchedLimited     = "limited"
	fetchedUnavailable = "unavailable"
)

// maxLife bounds the lifetime of a token that is believed.
const maxLife = 24 * time.Hour

var errFetch = apierr.New(apierr.Unavailable, "the server cannot be asked for a token at the moment; try again")

// issued is a token that the server has issued.
type issued struct {
	value, scope string
	// sent is when it was requested, and life how long it lives from then on.
	sent time.Time
	life time.Duration
}

// tokenKey is what a token is requested for. scope is sorted, and the resources are
// too, with a line break after each.
type tokenKey struct{ client, scope, resources string }

// fetch requests a token as the client. The secret is read from its file each time, so
// that a new one is used at once. If the server refuses it while an operator replaces
// the file, the request is repeated once with what the file holds then.
// Errors: *apierr.Error with the cause.
func (u *upstream) fetch(ctx context.Context, file string, k tokenKey) (issued, error) {
	form := url.Values{"grant_type": {oauth.GrantClientCredentials}}
	if k.scope != "" {
		form.Set("scope", k.scope)
	}
	for resource := range strings.SplitSeq(strings.TrimSuffix(k.resources, "\n"), "\n") {
		if resource != "" {
			form.Add("resource", resource)
		}
	}
	secret, err := readSecret(file)
	if err != nil {
		return issued{}, errFetch.Because(err)
	}
	for {
		sent := time.Now()
		r, err := u.post(ctx, oauth.PathToken, k.client, secret, form)
		if err != nil {
			return issued{}, errFetch.Because(err)
		}
		if r.status == http.StatusUnauthorized {
			if again, err := readSecret(file); err == nil && again != secret {
				secret = again
				continue
			}
		}
		return readIssued(r, sent)
	}
}

// readIssued reads a response of the token endpoint (RFC 6749 §5.1).
func readIssued(r reply, sent time.Time) (issued, error) {
	if r.status != http.StatusOK {
		return issued{}, refused(r)
	}
	var body struct {
		Token   string  `json:"access_token"`
		Type    string  `json:"token_type"`
		Scope   string  `json:"scope"`
		Expires float64 `json:"expires_in"`
	}
	err := json.Unmarshal(r.body, &body)
	switch {
	case err != nil, body.Token == "", body.Expires < 1:
		return issued{}, errFetch.Because(errors.New("the response of the server is not one of a token endpoint: check --upstream"))
	case !strings.EqualFold(body.Type, "Bearer"):
		return issued{}, errFetch.Because(errors.New("the server issued a token that is bound to a key, which this process cannot use"))
	}
	life := time.Duration(min(body.Expires, maxLife.Seconds())) * time.Second
	return issued{value: body.Token, scope: body.Scope, sent: sent, life: life}, nil
}

// refused returns the error of the server for the caller, with its cause: code and
// description of RFC 6749 §5.2, and how long to wait.
func refused(r reply) error {
	var body struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(r.body, &body) // a proxy sends HTML
	cause := fmt.Errorf("the server responded with status %d", r.status)
	e := &apierr.Error{Description: plainText(body.Description), RetryAfter: r.retryAfter, Cause: cause}
	known := isCode(body.Code)
	switch {
	case r.status == http.StatusUnauthorized:
		e.Code = apierr.InvalidClient
	case r.status == http.StatusTooManyRequests:
		e.Code, e.RetryAfter = apierr.TooManyRequests, max(r.retryAfter, time.Second)
	case r.status == http.StatusBadRequest && known:
		e.Code = apierr.Code(body.Code)
	case r.status == http.StatusForbidden && known:
		e.Code = apierr.AccessDenied
	default:
		return errFetch.After(max(r.retryAfter, time.Second)).Because(cause)
	}
	if e.Description == "" {
		e.Description = "the server gives no reason"
	}
	e.Description = "the server refuses to issue a token: " + e.Description
	return e
}

// isCode reports whether s may be an error code.
func isCode(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// plainText returns what error_description may hold (RFC 6749 §5.2), shortened.
func plainText(s string) string {
	const longest = 300
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), longest)]
}

// resultOf returns the result for the metrics.
func resultOf(err error) string {
	e, ok := errors.AsType[*apierr.Error](err)
	switch {
	case err == nil:
		return fetchedOK
	case !ok || e.Code == apierr.Unavailable:
		return fetchedUnavailable
	case e.Code == apierr.TooManyRequests:
		return fetchedLimited
	}
	return fetchedRefused
}
