package service_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// streamLife is longer than the server lets a response take otherwise.
const streamLife = 25 * time.Second

// TestStreamOverTLS: over HTTP/1.1 and HTTP/2, events come at once, and the stream goes on
// for longer than any time-out of the server. On HTTP/2, other requests use the same
// connection meanwhile.
func TestStreamOverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := start(t, ca.issue(t, 7))
	rs, app := s.NewClient(t, "rs", "introspect"), s.NewClient(t, "app", "users:read")
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", major), func(t *testing.T) {
			t.Parallel()
			client := ca.client(func(c *tls.Config) {
				if major == 1 {
					c.NextProtos = []string{"http/1.1"}
				}
			})
			transport := client.Transport.(*http.Transport)
			transport.ForceAttemptHTTP2, transport.DisableKeepAlives = major == 2, false
			t.Cleanup(transport.CloseIdleConnections)
			post := func(path, id, secret string, form url.Values) harness.Response {
				req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.SetBasicAuth(id, secret)
				return harness.Do(t, client, req)
			}
			req, err := http.NewRequest(http.MethodGet, s.URL+"/oauth/revocations", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(rs.ClientID, rs.ClientSecret)
			stream := harness.OpenStream(t, client, req)
			if stream.Header.Get("Content-Type") != "text/event-stream" || stream.Header.Get("Cache-Control") != "no-store" || stream.Header.Get("X-Accel-Buffering") != "no" {
				t.Errorf("%v", stream.Header)
			}
			stream.Await(t, "registration", nil)
			first := stream.Await(t, "fresh", nil)
			revoke := func() {
				t.Helper()
				token, _ := post("/oauth/token", app.ClientID, app.ClientSecret, url.Values{"grant_type": {"client_credentials"}}).JSON(t)["access_token"].(string)
				r := post("/oauth/introspect", rs.ClientID, rs.ClientSecret, url.Values{"token": {token}, "follow": {"true"}})
				keys, _ := r.JSON(t)["void_keys"].([]any)
				if len(keys) == 0 {
					t.Fatalf("introspect: %d %s", r.Status, r.Body)
				}
				if r := post("/oauth/revoke", app.ClientID, app.ClientSecret, url.Values{"token": {token}}); r.Status != 200 {
					t.Fatalf("revoke: %d %s", r.Status, r.Body)
				}
				stream.Await(t, "void", func(e harness.Event) bool { return strings.Contains(e.Data, keys[len(keys)-1].(string)) })
			}
			revoke()
			if testing.Short() {
				return
			}
			for e := first; e.Got.Sub(first.Got) < streamLife; {
				e = stream.Await(t, "fresh", nil)
			}
			revoke()
		})
	}
}

// TestStreamWithABody is refused, and what is left of one keeps no connection.
func TestStreamWithABody(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	rs := s.NewClient(t, "rs", "introspect")
	req, err := http.NewRequest(http.MethodGet, s.URL+"/oauth/revocations", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(rs.ClientID, rs.ClientSecret)
	for _, length := range []string{"Content-Length: 9", "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(poll.Patience))
		fmt.Fprintf(c, "GET /oauth/revocations HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n%s\r\n\r\n", req.Header.Get("Authorization"), length)
		lines := bufio.NewReader(c)
		if line, err := lines.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 400") {
			t.Errorf("%s: %q %v", length, line, err)
		}
		if _, err := io.Copy(io.Discard, lines); err != nil {
			t.Errorf("%s: the connection stays open: %v", length, err)
		}
	}
}
