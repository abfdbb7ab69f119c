package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// serverURLs are the URLs that a guard calls.
type serverURLs struct{ introspect, stream string }

const metadataPath = "/.well-known/oauth-authorization-server"

// configError is a fault that trying again does not correct: New returns it.
type configError struct{ err error }

func (e *configError) Error() string { return "guard: " + e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

func wrongConfig(format string, args ...any) error { return &configError{fmt.Errorf(format, args...)} }

// endpoints returns the URLs of the authorization server. They are asked for once,
// and again after forgetURLs.
func (c *client) endpoints(ctx context.Context) (*serverURLs, error) {
	if u := c.urls.Load(); u != nil {
		return u, nil
	}
	body, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	var m struct {
		Issuer     string `json:"issuer"`
		Introspect string `json:"introspection_endpoint"`
		Stream     string `json:"revocation_events_endpoint"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, errors.New("the metadata of the authorization server is not a JSON object with texts")
	}
	// RFC 8414 §3.3: otherwise one server could speak for another.
	if m.Issuer != c.issuer {
		return nil, wrongConfig("the authorization server at %s has the issuer %q, and %s is %q: they must be equal, also in a slash at the end", c.base(), m.Issuer, c.name("Issuer"), c.issuer)
	}
	u := &serverURLs{}
	if u.introspect, err = c.place(m.Introspect); err != nil {
		return nil, wrongConfig("introspection_endpoint of %s: %w", m.Issuer, err)
	}
	if m.Stream != "" {
		if u.stream, err = c.place(m.Stream); err != nil {
			return nil, wrongConfig("revocation_events_endpoint of %s: %w", m.Issuer, err)
		}
	}
	c.urls.Store(u)
	return u, nil
}

// forgetURLs makes endpoints ask again.
func (c *client) forgetURLs() { c.urls.Store(nil) }

// base is the URL that the authorization server is reached by.
func (c *client) base() string {
	if c.upstream != "" {
		return c.upstream
	}
	return c.issuer
}

// metadata reads the metadata document (RFC 8414 §3).
func (c *client) metadata(ctx context.Context) ([]byte, error) {
	u, err := url.Parse(c.base())
	if err != nil {
		return nil, err
	}
	// The path of the issuer comes after the well-known one (RFC 8414 §3.1).
	at := u.Scheme + "://" + u.Host + metadataPath + strings.TrimSuffix(u.EscapedPath(), "/")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", mediaJSON)
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, c.statusError(at, res)
	}
	return readJSON(res)
}

// place returns where to call an endpoint. The secret must reach nobody else, so it
// is below Upstream, or at the same scheme and host as the issuer.
func (c *client) place(endpoint string) (string, error) {
	if err := checkURL(endpoint); err != nil {
		return "", err
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	issuer, err := url.Parse(c.issuer)
	if err != nil {
		return "", err
	}
	if c.upstream == "" {
		if u.Scheme != issuer.Scheme || u.Host != issuer.Host {
			return "", fmt.Errorf("%s is at another scheme or host than the issuer", endpoint)
		}
		return endpoint, nil
	}
	up, err := url.Parse(c.upstream)
	if err != nil {
		return "", err
	}
	// What follows the issuer's path follows Upstream's.
	path := u.EscapedPath()
	if prefix := strings.TrimSuffix(issuer.EscapedPath(), "/"); strings.HasPrefix(path, prefix+"/") {
		path = strings.TrimPrefix(path, prefix)
	}
	return up.Scheme + "://" + up.Host + strings.TrimSuffix(up.EscapedPath(), "/") + path, nil
}
