package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
)

// Send sends the request without following redirects, and reads the response
// whole. It does not end a test, so goroutines may use it. With a nil client
// it uses http.DefaultClient.
func Send(c *http.Client, req *http.Request) (Response, error) {
	if c == nil {
		c = http.DefaultClient
	}
	once := *c
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r := Response{Sent: time.Now()}
	res, err := once.Do(req)
	if err != nil {
		return r, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	r.Got, r.Status, r.Header, r.Body = time.Now(), res.StatusCode, res.Header, string(b)
	return r, err
}

// Do is Send, and ends the test if there is no response.
func Do(t testing.TB, c *http.Client, req *http.Request) Response {
	t.Helper()
	r, err := Send(c, req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TryForm posts a form with HTTP Basic credentials; an empty id sends none.
// Goroutines may use it.
func (s *Server) TryForm(path, id, secret string, form url.Values) (Response, error) {
	req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return Response{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return Send(nil, req)
}

// TryGet gets a path of the public listener. Goroutines may use it.
func (s *Server) TryGet(path string) (Response, error) {
	req, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		return Response{}, err
	}
	return Send(nil, req)
}

// Form is TryForm, and ends the test if there is no response.
func (s *Server) Form(t testing.TB, path, id, secret string, form url.Values) Response {
	t.Helper()
	r, err := s.TryForm(path, id, secret, form)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TryAdmin sends a request to the admin API; body nil sends none. Goroutines
// may use it.
func (s *Server) TryAdmin(method, path string, body any) (Response, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return Response{}, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://grantd/admin/v1"+path, r)
	if err != nil {
		return Response{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return Send(s.Admin, req)
}

// AdminDo is TryAdmin, and ends the test if there is no response.
func (s *Server) AdminDo(t testing.TB, method, path string, body any) Response {
	t.Helper()
	r, err := s.TryAdmin(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TryToken requests a token; it is "" if the response is not 200. Goroutines
// may use it.
func (s *Server) TryToken(id, secret string) (string, Response, error) {
	r, err := s.TryForm("/oauth/token", id, secret, url.Values{"grant_type": {"client_credentials"}})
	if err != nil || r.Status != http.StatusOK {
		return "", r, err
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	err = json.Unmarshal([]byte(r.Body), &body)
	return body.AccessToken, r, err
}

// Token gets a token for the client; scope "" is its default.
func (s *Server) Token(t testing.TB, c clients.Created, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		form.Set("scope", scope)
	}
	r := s.Form(t, "/oauth/token", c.ClientID, c.ClientSecret, form)
	if r.Status != http.StatusOK {
		t.Fatalf("token: %d %s", r.Status, r.Body)
	}
	return r.JSON(t)["access_token"].(string)
}

// Introspect introspects the token as the resource server rs.
func (s *Server) Introspect(t testing.TB, rs clients.Created, token string) Response {
	t.Helper()
	return s.Form(t, "/oauth/introspect", rs.ClientID, rs.ClientSecret, url.Values{"token": {token}})
}
