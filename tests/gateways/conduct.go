package gateways

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// protocols: uploads, WebSocket and HTTP/2.
func (c *cases) protocols(t *testing.T) {
	const upload = 10 << 20
	t.Run("upload", func(t *testing.T) {
		before := c.link.Received()
		c.check(t, row{"upload", request{method: http.MethodPost, token: c.good, body: upload}, 200, "", shop})
		if n := c.link.Received() - before; n > 64<<10 {
			t.Errorf("grantd got %d bytes of an upload", n)
		}
	})
	t.Run("WebSocket", c.webSocket)
	t.Run("WebSocket without a token", func(t *testing.T) {
		c.check(t, row{"WebSocket without a token", request{path: "/cards/12", lines: webSocket}, 401, plain, nil})
	})
	t.Run("upgrade to h2c", c.h2c)
	t.Run("upgrade to one of several", c.upgrades)
	t.Run("HTTP/2", c.http2)
}

// webSocket is the request of RFC 6455 §1.3.
var webSocket = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}

// webSocket: after the upgrade, bytes pass in both directions.
func (c *cases) webSocket(t *testing.T) {
	conn := c.dial(t, "")
	defer conn.Close()
	id := c.nextID()
	if err := (request{token: c.good, lines: append(webSocket, lies...)}).write(conn, id); err != nil {
		t.Fatal(err)
	}
	b := bufio.NewReader(conn)
	res, err := http.ReadResponse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res.Status)
	}
	for _, frame := range []string{"\x81\x85\x00\x00\x00\x00hello", "\x82\x03abc"} {
		if _, err := io.WriteString(conn, frame); err != nil {
			t.Fatal(err)
		}
		back := make([]byte, len(frame))
		if _, err := io.ReadFull(b, back); err != nil || string(back) != frame {
			t.Errorf("%q came back as %q: %v", frame, back, err)
		}
	}
	got, _ := c.api.got(id)
	got.check(t, row{stated: shop})
}

// h2c: a gateway that passed on this upgrade would not see the requests after it.
func (c *cases) h2c(t *testing.T) {
	res, got := c.send(t, request{token: c.good, lines: []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}})
	if res.Status == http.StatusSwitchingProtocols {
		t.Fatal("it changed to h2c")
	}
	if got != nil && (got.header.Get("Upgrade") != "" || strings.Contains(strings.ToLower(got.header.Get("Connection")), "upgrade")) {
		t.Errorf("the API got the upgrade: %v", got.header)
	}
}

// upgrades: WebSocket in the list of a caller must not open the way for what else is in it.
func (c *cases) upgrades(t *testing.T) {
	for _, lines := range [][]string{
		{"Upgrade: websocket, h2c"}, {"Upgrade: h2c, websocket"}, {"Upgrade: websocket", "Upgrade: h2c"}, {"Upgrade: h2c", "Upgrade: websocket"},
	} {
		_, got := c.send(t, request{path: "/public/1", lines: append(lines, "Connection: Upgrade")})
		if got == nil {
			continue // refused
		}
		if list := got.header["Upgrade"]; len(list) > 0 && !slices.Equal(list, []string{"websocket"}) {
			t.Errorf("%q: the API got %q", lines, list)
		}
	}
}

// http2: the same decisions.
func (c *cases) http2(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.tls("h2"), ForceAttemptHTTP2: true, DialContext: from(here).DialContext}, Timeout: patience}
	defer client.CloseIdleConnections()
	for _, r := range []row{
		{"HTTP/2", request{token: c.good}, 200, "", shop},
		{"HTTP/2, POST", request{method: http.MethodPost, token: c.good, body: 1 << 20}, 200, "", shop},
		{"HTTP/2, lies", request{token: c.customer, lines: lies}, 200, "", customer},
		{"HTTP/2, no token", request{}, 401, plain, nil},
		{"HTTP/2, wrong scope", request{token: c.narrow}, 403, lacking + `, scope="cards"`, nil},
		{"HTTP/2, on behalf", request{token: c.onBehalf, method: http.MethodPost}, 403, lacking, nil},
		{"HTTP/2, path", request{path: "/public/%2e%2e/cards/12", token: c.good}, 403, "", nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), or(r.method, http.MethodGet), "https://"+c.address+or(r.path, "/cards/12"), io.LimitReader(zeros{}, int64(r.body)))
		if err != nil {
			t.Fatal(err)
		}
		if r.body == 0 {
			req.Body = http.NoBody
		}
		for _, line := range r.lines {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Add(name, value)
		}
		req.Host = hostName
		req.Header.Set(caseHeader, c.nextID())
		if r.token != "" {
			req.Header.Set("Authorization", "Bearer "+r.token)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if want := c.status(r.name, r.status); res.StatusCode != want || res.ProtoMajor != 2 {
			t.Errorf("%s: %s %s, want %d", r.name, res.Proto, res.Status, want)
		}
		if challenge := res.Header.Get("WWW-Authenticate"); challenge != r.challenge {
			t.Errorf("%s: challenge %q", r.name, challenge)
		}
		got, reached := c.api.got(req.Header.Get(caseHeader))
		if reached != (r.status == http.StatusOK) {
			t.Errorf("%s: it reached the API: %t", r.name, reached)
		}
		if reached {
			got.check(t, r)
		}
	}
}

// connections: a gateway does not open a connection for each decision.
func (c *cases) connections(t *testing.T) {
	const requests, most = 40, 10
	before := c.link.Accepted()
	for range requests {
		c.check(t, row{"good", request{token: c.good}, 200, "", shop})
	}
	if n := c.link.Accepted() - before; n > most {
		t.Errorf("it opened %d connections for %d decisions", n, requests)
	}
}

// revoked: a token that passed does not pass once it is revoked, within a second.
func (c *cases) revoked(t *testing.T) {
	token := c.server.Token(t, c.shop, "")
	c.check(t, row{"good", request{token: token}, 200, "", shop})
	r := c.server.Form(t, "/oauth/revoke", c.shop.ClientID, c.shop.ClientSecret, url.Values{"token": {token}})
	if r.Status != http.StatusOK {
		t.Fatal(r)
	}
	last, _ := c.send(t, request{token: token})
	for last.Status == http.StatusOK {
		if late := last.Sent.Sub(r.Got); late > time.Second {
			t.Fatalf("it still passed %v after it was revoked", late)
		}
		last, _ = c.send(t, request{token: token})
	}
	c.check(t, row{"revoked", request{token: token}, 401, invalid, nil})
}

// closesWithin is how long a caller waits for a refusal while nobody can decide.
const closesWithin = 2 * time.Second

// faults: while nobody can decide, nothing passes, and every caller learns it soon.
func (c *cases) faults(t *testing.T) {
	undecided := func(name string, r request) {
		t.Run(name, func(t *testing.T) {
			want := c.status(name, http.StatusServiceUnavailable)
			res, got := c.send(t, r)
			if res.Status != want || got != nil || res.Took() > closesWithin {
				t.Errorf("%v, want %d; the API got %+v", res, want, got)
			}
		})
	}
	good := request{token: c.good}
	for _, mode := range []harness.Mode{harness.Refusing, harness.Hanging, harness.Resetting} {
		c.link.Set(mode)
		undecided("grantd "+mode.String(), good)
		undecided("grantd "+mode.String()+", no token", request{})
	}
	for _, u := range c.cannot {
		c.lead(u.address)
		undecided(u.why, request{token: u.token})
	}
	for name, response := range map[string]http.HandlerFunc{
		"not found":       http.NotFound,
		"a redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
		"an error":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"too many":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"a wrong request": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
		"nothing":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no HTTP":         rubbish,
	} {
		s := httptest.NewServer(response)
		c.lead(strings.TrimPrefix(s.URL, "http://"))
		undecided("grantd responds with "+name, good)
		s.Close()
	}
	c.lead(c.asks)
	poll.Await(t, poll.Patience, "requests pass again", func() string {
		if res, _ := c.send(t, good); res.Status != http.StatusOK {
			return res.String()
		}
		return ""
	})
}

// lead makes the gateway reach something else.
func (c *cases) lead(to string) {
	c.link.Lead(to)
	c.link.Set(harness.Passing)
}

func rubbish(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
	_ = conn.Close()
}
