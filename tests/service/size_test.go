package service_test

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
	"github.com/grantd/grantd/tests/poll"
)

// raw sends bytes and returns the response, or an error if there is none.
func raw(t *testing.T, s *harness.Server, request string) (*http.Response, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(poll.Patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, request) // the server may refuse it while it is being sent
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		t.Cleanup(func() { res.Body.Close() })
	}
	return res, err
}

func TestSizes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	form := func(headers, body string) string {
		return fmt.Sprintf("POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n%s\r\n%s", len(body), headers, body)
	}
	many := func(n int) string { return strings.Repeat("a=b&", n-1) + "a=b" }
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"headers_of_64_KiB", form("X-Filler: "+strings.Repeat("x", 64<<10)+"\r\n", ""), 431},
		{"ten_thousand_headers", form(strings.Repeat("X-Filler: x\r\n", 10_000), ""), 431},
		{"headers_of_16_KiB", form("X-Filler: "+strings.Repeat("x", 16<<10)+"\r\n", ""), 431},
		{"headers_of_7_KiB", form("X-Filler: "+strings.Repeat("x", 7<<10)+"\r\n", ""), 400},
		{"secret_of_7_KiB_in_the_header", form("Authorization: Basic "+strings.Repeat("QUFB", 7<<8)+"\r\n", "grant_type=client_credentials"), 401},
		{"body_over_64_KiB", form("", strings.Repeat("x", 64<<10+1)), 413},
		{"body_that_says_it_is_1_GiB", "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1073741824\r\n\r\n", 413},
		{"101_parameters", form("", many(101)), 400},
		{"100000_parameters", form("", strings.Repeat("&", 60_000)), 400},
		{"URL_of_64_KiB", "GET /healthz?" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
		{"OPTIONS_of_everything", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := raw(t, s, tc.request) //nolint:bodyclose // raw closes it
			if err != nil || res.StatusCode != tc.status {
				t.Fatalf("%v %v, want %d", res, err, tc.status)
			}
			if tc.status != 431 { // net/http writes it before there is a request
				if got := res.Header.Get("Content-Type"); got != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("headers %v", res.Header)
				}
			}
		})
	}
}

// A connection that never finishes its headers is closed.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(poll.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /oauth/token HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil {
		t.Errorf("still open: %q %v", b, err)
	}
}

// The number of concurrent requests on an HTTP/2 connection is bounded.
func TestStreamsOfOneConnection(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	o := edits(withTLS(cert, key))
	s := harness.Start(t, o)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(poll.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	header := make([]byte, 9)
	if _, err := io.ReadFull(conn, header); err != nil {
		t.Fatal(err)
	}
	if header[3] != 4 {
		t.Fatalf("frame of type %d, want SETTINGS (RFC 9113 §6.5)", header[3])
	}
	settings := make([]byte, int(header[1])<<8|int(header[2]))
	if _, err := io.ReadFull(conn, settings); err != nil {
		t.Fatal(err)
	}
	const maxConcurrentStreams = 3
	for ; len(settings) >= 6; settings = settings[6:] {
		if settings[1] == maxConcurrentStreams {
			if n := int(settings[4])<<8 | int(settings[5]); n < 1 || n > 32 {
				t.Errorf("%d streams", n)
			}
			return
		}
	}
	t.Error("the number of streams is not bounded")
}
