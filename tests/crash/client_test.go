package crash_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// client is a client of grantd and what the test knows about it.
type client struct {
	ID, Scope        string
	Secret, SecretID string
}

// refusal is a response that is not a success. Any other error means that the
// outcome is unknown.
type refusal struct {
	status int
	body   string
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// decode decodes the body of a response, or returns a refusal.
func decode(res *http.Response, into any) error {
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return refusal{res.StatusCode, string(b)}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b, into)
}

// change sends one admin request.
func change(p *process, method, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://grantd/admin/v1"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	if body == nil {
		req.Body, req.ContentLength = nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := p.admin.Do(req)
	if err != nil {
		return err
	}
	return decode(res, into)
}

func (c *client) create(p *process) error {
	var created struct {
		Secret   string `json:"client_secret"`
		SecretID string `json:"secret_id"`
	}
	err := change(p, http.MethodPost, "/clients", map[string]any{"client_id": c.ID, "scope": c.Scope}, &created)
	c.Secret, c.SecretID = created.Secret, created.SecretID
	return err
}

// rotate returns the secret that was replaced.
func (c *client) rotate(p *process, grace string) (old string, err error) {
	var rotated struct {
		Secret   string `json:"client_secret"`
		SecretID string `json:"secret_id"`
	}
	if err := change(p, http.MethodPost, "/clients/"+c.ID+"/secrets", map[string]any{"grace": grace}, &rotated); err != nil {
		return "", err
	}
	old, c.Secret, c.SecretID = c.Secret, rotated.Secret, rotated.SecretID
	return old, nil
}

func (c *client) form(p *process, path, secret string, form url.Values) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, p.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(secret))
	return http.DefaultClient.Do(req)
}

// issue requests a token.
func (c *client) issue(p *process, secret string) (token string, status int, err error) {
	res, err := c.form(p, "/oauth/token", secret, url.Values{"grant_type": {"client_credentials"}}) //nolint:bodyclose // decode closes it
	if err != nil {
		return "", 0, err
	}
	token, err = accessToken(res)
	return token, res.StatusCode, err
}

func accessToken(res *http.Response) (string, error) {
	var body struct {
		Token string `json:"access_token"`
	}
	err := decode(res, &body)
	return body.Token, err
}

func (c *client) revoke(p *process, token string) error {
	res, err := c.form(p, "/oauth/revoke", c.Secret, url.Values{"token": {token}})
	if err != nil {
		return err
	}
	return decode(res, nil)
}

// introspect introspects the token as c.
func (c *client) introspect(p *process, token string) (active bool, err error) {
	res, err := c.form(p, "/oauth/introspect", c.Secret, url.Values{"token": {token}})
	if err != nil {
		return false, err
	}
	var body struct {
		Active *bool `json:"active"`
	}
	if err := decode(res, &body); err != nil {
		return false, err
	}
	if body.Active == nil {
		return false, fmt.Errorf("introspection without active")
	}
	return *body.Active, nil
}
