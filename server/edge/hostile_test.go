package edge

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/poll"
)

// TestSmuggling: what two programs could read as different requests is refused, or ends
// the connection: what follows is never a request. A gateway in front may share its
// connection between callers.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	const body, next = "token=good", "GET /healthz HTTP/1.1\r\nHost: y\r\n\r\n"
	head := "POST " + introspection + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte("rs:"+ownSecret)) + "\r\n"
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	for _, tc := range []struct{ rule, headers, body string }{
		{"two lengths", "Content-Length: 10\r\nContent-Length: 5\r\n", body},
		{"a list of lengths", "Content-Length: 10, 10\r\n", body},
		{"a length with a sign", "Content-Length: +10\r\n", body},
		{"a length and chunks", "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n", chunked},
		{"chunks alone", "Transfer-Encoding: chunked\r\n", chunked},
		{"an unknown coding", "Transfer-Encoding: xchunked\r\n", chunked},
		{"two codings", "Transfer-Encoding: chunked, identity\r\n", chunked},
		{"two headers of codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunked},
		{"a space before the colon", "Transfer-Encoding : chunked\r\nContent-Length: 10\r\n", body},
		{"a vertical tab", "Transfer-Encoding: \x0bchunked\r\nContent-Length: 10\r\n", body},
		{"a carriage return alone", "X: a\rContent-Length: 0\r\nContent-Length: 10\r\n", body},
		{"a zero byte", "X: a\x00\r\nContent-Length: 10\r\n", body},
		{"two hosts", "Host: z\r\nContent-Length: 10\r\n", body},
		{"a chunk that ends with a line feed", "Transfer-Encoding: chunked\r\n", "a;x\n" + body + "\r\n0\r\n\r\n"},
		{"a chunk that is longer than it says", "Transfer-Encoding: chunked\r\n", "a\r\n" + body + "xx0\r\n\r\n"},
		{"a long size of a chunk", "Transfer-Encoding: chunked\r\n", strings.Repeat("0", 17) + "a\r\n" + body + "\r\n0\r\n\r\n"},
	} {
		got := x.raw(t, head+tc.headers+"\r\n"+tc.body+next)
		if n := strings.Count(got, "HTTP/1.1 "); n != 1 {
			t.Errorf("%s: %d responses\n%s", tc.rule, n, got)
		}
	}
	if got := x.raw(t, head+"Content-Length: 10\r\n\r\n"+body+strings.Replace(next, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)); strings.Count(got, "HTTP/1.1 200") != 2 {
		t.Errorf("two requests of one connection: %s", got)
	}
	for rule, request := range map[string]string{
		"a long header": "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
		"many headers":  "GET /healthz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a:b\r\n", 20<<10) + "\r\n",
		"a long target": "GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if got := x.raw(t, request); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
			t.Errorf("%s: %s", rule, got)
		}
	}
}

// raw sends bytes on a connection, and returns what comes until its end.
func (x *rig) raw(t *testing.T, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(x.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, request) // it may be refused before it is all sent
	}()
	b, err := io.ReadAll(c)
	if netErr := net.Error(nil); errors.As(err, &netErr) && netErr.Timeout() {
		t.Errorf("the connection stays open after %q", b)
	}
	c.Close()
	<-sent
	return string(b)
}

// TestSlowCallers: connections that send their request slowly, more than there may be,
// keep out nobody who sends a whole one.
func TestSlowCallers(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	address := strings.TrimPrefix(x.base, "http://")
	var slow []net.Conn
	defer func() {
		for _, c := range slow {
			c.Close()
		}
	}()
	for range maxConnections / 2 {
		for _, begin := range []string{"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", "POST " + introspection + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\ntoken="} {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			slow = append(slow, c)
			_, _ = io.WriteString(c, begin) // it may be closed by now
		}
	}
	poll.Await(t, 30*time.Second, "a whole request is served", func() string {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, "GET /forward-auth HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err.Error()
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return res.Status
		}
		return ""
	})
}
