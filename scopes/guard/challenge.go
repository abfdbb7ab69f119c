package guard

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// defaultRealm is the realm of plainChallenge.
const defaultRealm = "api"

// challenge is the beginning of WWW-Authenticate, and what ends it: both are the same
// for every refusal of a guard (RFC 6750 §3).
type challenge struct{ start, end string }

// plainChallenge is the challenge where no guard is known.
var plainChallenge = newChallenge(defaultRealm, "")

// newChallenge makes the challenge. If this resource server has an identifier, a client
// that knows nothing about it finds its metadata by the challenge (RFC 9728 §5.1).
func newChallenge(realm, resource string) *challenge {
	c := &challenge{start: `Bearer realm="` + quotable(realm) + `"`}
	if at := metadataURL(resource); at != nil {
		c.end = `, resource_metadata="` + quotable(at.String()) + `"`
	}
	return c
}

// quotable escapes a text for a quoted string of HTTP (RFC 9110 §5.6.4), and leaves out
// what must not be there.
func quotable(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f {
			continue
		}
		if c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// metadataURL returns where the metadata of a resource is (RFC 9728 §3.1): the
// well-known path comes between its host and its path. It returns nil if the resource
// is not the URL of a server.
func metadataURL(resource string) *url.URL {
	at, err := url.Parse(resource)
	if err != nil || at.Host == "" {
		return nil
	}
	found := &url.URL{Scheme: at.Scheme, Host: at.Host, Path: "/", RawQuery: at.RawQuery}
	if at.EscapedPath() == "/" { // a slash after the host is left out
		return found.JoinPath(wellKnownResource)
	}
	return found.JoinPath(wellKnownResource, at.EscapedPath())
}

// header returns WWW-Authenticate for a refusal. Each attribute appears once.
func (c *challenge) header(r *Refusal) string {
	b := []byte(c.start)
	attribute := func(name, value string) {
		if value != "" {
			b = append(append(append(append(append(b, ", "...), name...), `="`...), value...), '"')
		}
	}
	attribute("error", r.Code)
	if r.Code != "" { // without credentials there is nothing to describe (RFC 6750 §3.1)
		attribute("error_description", r.Description)
	}
	attribute("scope", r.Scope)
	if r.Code == CodeInsufficientAuth {
		attribute("max_age", strconv.FormatInt(int64(r.MaxAge/time.Second), 10))
	}
	return string(append(b, c.end...))
}

// refuse writes the response for the error of a check. See Guard.Refuse.
func (c *challenge) refuse(w http.ResponseWriter, err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		r = unavailable(err, 0)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Status == http.StatusServiceUnavailable {
		seconds := (max(r.RetryAfter, minRetryAfter) + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	} else {
		h.Set("WWW-Authenticate", c.header(r))
	}
	body := refusalBody{Error: r.Code, Description: r.Description, Scope: r.Scope}
	if body.Error == "" {
		body.Error = CodeInvalidToken // the challenge has no code; a body without one is hard to handle
	}
	b, _ := json.Marshal(body) // texts have no error
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(r.Status)
	_, _ = w.Write(b)
}

// refusalBody is the body of a refusal, as of OAuth errors (RFC 6749 §5.2).
type refusalBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	Scope       string `json:"scope,omitempty"`
}

// wellKnownResource is where RFC 9728 §3 puts the metadata of a resource without a path.
const wellKnownResource = "/.well-known/oauth-protected-resource"
