package gateways

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
)

// request is a request to a gateway. It is written as it is here, so that it can be
// wrong in ways that no HTTP library would send.
type request struct {
	method string // "": GET
	path   string // "": /cards/12
	token  string // "": none
	lines  []string
	from   string // "": here
	host   string // "": hostName
	body   int    // bytes
}

// hostName is what callers call the API.
const hostName = "api.example.com"

// from returns a dialer that has the address.
func from(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: patience}
}

// dial opens a connection from the address to the gateway.
func (c *cases) dial(t testing.TB, address string) *tls.Conn {
	t.Helper()
	d := tls.Dialer{NetDialer: from(or(address, here)), Config: c.tls("http/1.1")}
	conn, err := d.DialContext(t.Context(), "tcp", c.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn.(*tls.Conn)
}

// patience bounds a request; what a gateway promises is measured.
const patience = 15 * time.Second

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// write sends the head of the request, and its name.
func (r request) write(w io.Writer, id string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n", or(r.method, http.MethodGet), or(r.path, "/cards/12"), or(r.host, hostName), caseHeader, id)
	if r.token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", r.token)
	}
	for _, line := range r.lines {
		b.WriteString(line + "\r\n")
	}
	if r.body > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", r.body)
	}
	b.WriteString("\r\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// send sends the request on a new connection, and returns the response and what
// the API got, if anything reached it.
func (c *cases) send(t testing.TB, r request) (harness.Response, *arrived) {
	t.Helper()
	conn := c.dial(t, r.from)
	defer conn.Close()
	id := c.nextID()
	res := harness.Response{Sent: time.Now()}
	if err := r.write(conn, id); err != nil {
		t.Fatal(err)
	}
	if r.body > 0 {
		// A gateway may respond before it has read all.
		go func() { _, _ = io.CopyN(conn, zeros{}, int64(r.body)) }()
	}
	got, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: or(r.method, http.MethodGet)})
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Got, res.Status, res.Header, res.Body = time.Now(), got.StatusCode, got.Header, string(b)
	if a, ok := c.api.got(id); ok {
		return res, &a
	}
	return res, nil
}

// zeros is a body.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
