package protocol_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

// call is one request, sent byte for byte as it is written here.
type call struct {
	method  string
	target  string   // path and query
	headers []string // lines, in order; may repeat
	body    string
	chunked bool
}

// Header lines.
const (
	formType = "Content-Type: application/x-www-form-urlencoded"
	jsonType = "Content-Type: application/json"
)

// form posts a form; extra header lines may follow.
func form(target, body string, headers ...string) call {
	return post(target, body, append([]string{formType}, headers...)...)
}

// post posts a body with just these headers.
func post(target, body string, headers ...string) call {
	return call{method: "POST", target: target, body: body, headers: headers}
}

// ask posts a form to the token endpoint.
func ask(body string, headers ...string) call { return form("/oauth/token", body, headers...) }

// grant is the body of a plain token request.
const grant = "grant_type=client_credentials"

// basic returns the header line of HTTP Basic with form-encoded parts (RFC 6749
// §2.3.1).
func basic(c clients.Created) string { return basicOf(c.ClientID, c.ClientSecret) }

func basicOf(id, secret string) string {
	return rawBasic(url.QueryEscape(id) + ":" + url.QueryEscape(secret))
}

// rawBasic is basic without form-encoding.
func rawBasic(pair string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// credentials returns the client's credentials as parameters of the body.
func credentials(c clients.Created) string {
	return "&client_id=" + url.QueryEscape(c.ClientID) + "&client_secret=" + url.QueryEscape(c.ClientSecret)
}

// send writes the request, reads the response and checks what every response
// must have.
func (w *world) send(t *testing.T, c call) harness.Response {
	t.Helper()
	w.keep(sensitive(c)...)
	r := w.exchange(t, c.method, c.bytes())
	w.checkEvery(t, c, r)
	return r
}

// bytes returns the request as it is sent.
func (c call) bytes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: grantd.test\r\nConnection: close\r\n", c.method, c.target)
	for _, h := range c.headers {
		b.WriteString(h + "\r\n")
	}
	if c.chunked {
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for rest := c.body; rest != ""; {
			n := min(len(rest), 1000)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n\r\n")
		return b.String()
	}
	if c.body != "" || c.method == "POST" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(c.body))
	}
	b.WriteString("\r\n" + c.body)
	return b.String()
}

// exchange sends raw bytes and reads one response. A server may respond and
// close before it has read everything, so a failed write is not an error.
func (w *world) exchange(t *testing.T, method, raw string) harness.Response {
	t.Helper()
	conn := w.dial(t)
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, raw) }()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("response cut short: %v", err)
	}
	return harness.Response{Status: res.StatusCode, Header: res.Header, Body: string(b)}
}

func (w *world) dial(t *testing.T) net.Conn {
	t.Helper()
	u, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // the test's own certificate
	}
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// sensitive returns what must not appear outside the request: the value of
// Authorization after the scheme, the secret in it, and the parameters that
// carry secrets and tokens, as sent and decoded.
func sensitive(c call) []string {
	var found []string
	both := func(v string) {
		found = append(found, v)
		if d, err := url.QueryUnescape(v); err == nil {
			found = append(found, d)
		}
	}
	for _, h := range c.headers {
		name, value, _ := strings.Cut(h, ":")
		if !strings.EqualFold(name, "Authorization") {
			continue
		}
		_, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
		rest = strings.TrimSpace(rest)
		found = append(found, rest)
		if pair, err := base64.StdEncoding.DecodeString(rest); err == nil {
			if _, secret, ok := strings.Cut(string(pair), ":"); ok {
				both(secret)
			}
		}
	}
	_, query, _ := strings.Cut(c.target, "?")
	for part := range strings.SplitSeq(query+"&"+c.body, "&") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "client_secret", "client_assertion", "token", "access_token", "subject_token":
			both(value)
		}
	}
	return found
}
