package resourceservers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// What a resource server can ask.
const (
	server = "server"
	edge   = "edge"
)

// Product is a resource server of others. It protects GET /cards with the scope cards,
// and passes the subject of the token to the API in X-Subject.
type Product struct {
	Name string
	// Start starts it and returns its URL.
	Start func(t testing.TB, s Settings) string
	// Statuses are what it responds with where INTEGRATING.md wants another status.
	Statuses Statuses
	// TLS: it asks only over TLS.
	TLS bool
	// Edge are the flags that its edge needs. With such flags, it cannot ask the server.
	Edge []string
	// NoChallenge: its 401 have no WWW-Authenticate.
	NoChallenge bool
}

// targets returns what it can ask.
func (p Product) targets() []string {
	if len(p.Edge) > 0 {
		return []string{edge}
	}
	return []string{server, edge}
}

// Statuses of refusals; 0 is what INTEGRATING.md says.
type Statuses struct {
	Invalid     int // 401: the token is not active
	Scope       int // 403: the token lacks the scope
	Unavailable int // 503: grantd responds with 503
	Away        int // 503: grantd cannot be reached
	Secret      int // 503: the resource server's own credentials are wrong
}

func or(status, otherwise int) int {
	if status == 0 {
		return otherwise
	}
	return status
}

// Run runs the cases against the server and the edge.
func Run(t *testing.T, p Product) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	t.Parallel()
	for _, target := range p.targets() {
		t.Run(p.Name+"/"+target, func(t *testing.T) {
			t.Parallel()
			c := newCases(t, p, target)
			c.tokens(t)
			c.revoked(t)
			c.wrongSecret(t)
			c.away(t)
		})
	}
}

func newCases(t *testing.T, p Product, target string) *cases {
	t.Helper()
	w := newWorld(t, p, target)
	return &cases{world: w, p: p, url: p.Start(t, w.settings())}
}

// cases are the cases of one product.
type cases struct {
	*world
	p   Product
	url string
}

// tokens: which tokens pass.
func (c *cases) tokens(t *testing.T) {
	good := c.Token(t, c.shop, "")
	invalid, scope := or(c.p.Statuses.Invalid, 401), or(c.p.Statuses.Scope, 403)
	for _, row := range []struct {
		rule, token string
		status      int
	}{
		{"with several scopes", good, 200},
		{"with this scope only", c.Token(t, c.shop, "cards"), 200},
		{"without the scope", c.Token(t, c.shop, "accounts"), scope},
		{"with a scope that begins like it", c.Token(t, c.writer, ""), scope},
		{"none", "", 401},
		{"garbage", "rubbish", invalid},
		{"one character off", flipped(good), invalid},
		{"expired", c.expired, invalid},
		{"for a customer", c.customer, invalid},
		{"for another resource server", c.Token(t, c.elsewhere, ""), invalid},
	} {
		t.Run("token/"+row.rule, func(t *testing.T) { c.check(t, c.get(t, row.token), row.status) })
	}
	t.Run("token/in the URL", func(t *testing.T) {
		c.check(t, c.send(t, "/cards?access_token="+url.QueryEscape(good), ""), 401)
	})
}

// flipped returns the token with another last character.
func flipped(token string) string {
	last := "A"
	if strings.HasSuffix(token, last) {
		last = "B"
	}
	return token[:len(token)-1] + last
}

// revoked: a token that passed does not pass once it is revoked. The server refuses it
// at once, and the edge within a second.
func (c *cases) revoked(t *testing.T) {
	t.Run("revoked", func(t *testing.T) {
		token := c.Token(t, c.shop, "")
		if asked := c.askedFor(t, token, 3); asked != 3 {
			t.Errorf("it asked %d times for 3 requests", asked)
		}
		r := c.revoke(t, token)
		last := c.get(t, token)
		for last.Status == http.StatusOK {
			if late := last.Sent.Sub(r.Got); late > time.Second || c.gate.direct {
				t.Fatalf("it still passed %v after it was revoked", late)
			}
			last = c.get(t, token)
		}
		c.check(t, last, or(c.p.Statuses.Invalid, 401))
	})
}

// revoke ends a token of the shop.
func (c *cases) revoke(t *testing.T, token string) harness.Response {
	t.Helper()
	r := c.Form(t, "/oauth/revoke", c.shop.ClientID, c.shop.ClientSecret, url.Values{"token": {token}})
	if r.Status != http.StatusOK {
		t.Fatal(r)
	}
	return r
}

// askedFor sends requests with a token that passes, and returns how often the resource
// server asked: less often than that if it keeps what grantd said.
func (c *cases) askedFor(t *testing.T, token string, requests int) int {
	t.Helper()
	before := c.gate.asked.Load()
	for range requests {
		c.check(t, c.get(t, token), 200)
	}
	return int(c.gate.asked.Load() - before)
}

// wrongSecret: nothing passes a resource server whose own credentials are wrong.
func (c *cases) wrongSecret(t *testing.T) {
	t.Run("wrong credentials", func(t *testing.T) {
		s := c.settings()
		s.Secret = flipped(s.Secret)
		wrong := *c
		wrong.url = c.p.Start(t, s)
		wrong.check(t, wrong.get(t, c.Token(t, c.shop, "")), or(c.p.Statuses.Secret, 503))
	})
}

// away: nothing passes while grantd is away, not even a token that passed before.
func (c *cases) away(t *testing.T) {
	token := c.Token(t, c.shop, "")
	passes := func(t *testing.T) {
		t.Helper()
		c.check(t, c.get(t, token), 200)
	}
	t.Run("grantd cannot tell", func(t *testing.T) {
		passes(t)
		c.gate.unavailable.Store(true)
		c.check(t, c.get(t, token), or(c.p.Statuses.Unavailable, 503))
		c.gate.unavailable.Store(false)
		passes(t)
	})
	t.Run("grantd is away", func(t *testing.T) {
		passes(t)
		c.gate.close()
		c.check(t, c.get(t, token), or(c.p.Statuses.Away, 503))
		c.gate.open(t)
		poll.Await(t, poll.Patience, "it passes again", func() string { return differs(c.get(t, token), 200) })
	})
	if c.gate.direct {
		return
	}
	t.Run("grantd is away from the edge", func(t *testing.T) {
		passes(t)
		c.Close()
		closed := time.Now()
		last := c.get(t, token)
		for last.Status == http.StatusOK {
			if late := last.Sent.Sub(closed); late > time.Second {
				t.Fatalf("it still passed %v after grantd had gone", late)
			}
			last = c.get(t, token)
		}
		c.check(t, last, or(c.p.Statuses.Unavailable, 503))
	})
}

// get asks for the cards with the token.
func (c *cases) get(t *testing.T, token string) harness.Response {
	t.Helper()
	return c.send(t, "/cards", token)
}

// send gets a path with the token and with a subject that the caller made up.
func (c *cases) send(t *testing.T, path, token string) harness.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Subject", "client:admin")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	before := c.reached.Load()
	r := harness.Do(t, nil, req)
	if r.Status != http.StatusOK && c.reached.Load() != before {
		t.Errorf("%v, and the request reached the API", r)
	}
	return r
}

// check compares a response with the status that it should have.
func (c *cases) check(t *testing.T, r harness.Response, status int) {
	t.Helper()
	if why := differs(r, status); why != "" {
		t.Error(why)
	}
	challenge, want := r.Header.Get("WWW-Authenticate"), "Bearer"
	if c.p.NoChallenge {
		want = ""
	}
	if scheme, _, _ := strings.Cut(challenge, " "); r.Status == http.StatusUnauthorized && !strings.EqualFold(scheme, want) {
		t.Errorf("401 with WWW-Authenticate %q", challenge)
	}
}

func differs(r harness.Response, status int) string {
	switch {
	case r.Status != status:
		return fmt.Sprintf("want %d, got %d %.60q", status, r.Status, r.Body)
	case status == http.StatusOK && !strings.Contains(r.Body, "cards for client:shop"):
		return "wrong cards: " + r.String()
	}
	return ""
}
