package service_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// dialFrom connects to the server from an address of 127.0.0.0/8.
func dialFrom(t testing.TB, s *harness.Server, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", strings.TrimPrefix(strings.TrimPrefix(s.URL, "http://"), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Connections that send nothing, and those that keep a request open, use up the
// share of their network, not the listener.
func TestConnectionsOfOneNetwork(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" }))
	const greedy = "127.0.0.9"
	for range 2600 {
		c := dialFrom(t, s, greedy)
		_, _ = io.WriteString(c, "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n")
	}
	poll.AwaitTrue(t, poll.Patience, "the greedy network is refused", func() bool {
		return strings.Contains(metricsOf(t, s), `grantd_connections_refused_total{listener="public",reason="network_requests"}`)
	})
	want(t, s, 401, attempt{id: "a", secret: "b"}, "another network")
	if n := strings.Count(s.Logs.String(), `"connections or requests refused"`); n < 1 || n > 2 {
		t.Errorf("%d lines in the log", n)
	}
}

func metricsOf(t testing.TB, s *harness.Server) string {
	t.Helper()
	res, err := http.Get(s.Server.URL("metrics") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Many HTTP/2 streams whose headers are small on the wire and large in memory do
// not fill the memory: few connections of one network speak HTTP/2, with few
// streams each.
func TestHeaderBomb(t *testing.T) { // not parallel: it measures memory
	cert, key := certificate(t)
	s := harness.Start(t, edits(withTLS(cert, key)))
	before := memory()
	http2s := 0
	for range 100 {
		c := tls.Client(dialFrom(t, s, "127.0.0.8"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		if c.ConnectionState().NegotiatedProtocol == "h2" {
			http2s++
			bomb(t, c)
		}
	}
	if http2s == 0 {
		t.Error("no connection spoke HTTP/2")
	}
	// 16 connections with 32 streams of 8 KiB; the old bounds allowed 800 MB.
	if grown := memory() - before; grown > 100<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	res, err := insecure().Get(s.URL + "/healthz") // another network: 127.0.0.1
	if err != nil || res.StatusCode != 200 {
		t.Errorf("%v %v", res, err)
	} else {
		res.Body.Close()
	}
}

func insecure() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
}

func memory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// bomb opens as many streams as the server may take, each with one entry of the
// header table repeated, and a body that never comes.
func bomb(t testing.TB, c net.Conn) {
	t.Helper()
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	crumb := strings.Repeat("c", 220)
	for stream := range uint32(250) {
		block.Reset()
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "x"},
			{Name: ":path", Value: "/oauth/token"}, {Name: "content-type", Value: "application/x-www-form-urlencoded"}, {Name: "content-length", Value: "100"},
		} {
			_ = enc.WriteField(f)
		}
		for range 28 {
			_ = enc.WriteField(hpack.HeaderField{Name: "cookie", Value: crumb})
		}
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*stream + 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.Write(out.Bytes())
}

// Long bodies that arrive slowly: few of them are in memory at the same time, and
// none takes long.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	conns := make([]net.Conn, 40)
	for i := range conns {
		conns[i] = dialFrom(t, s, "127.0.0.7")
		_, err := fmt.Fprintf(conns[i], "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n%s", strings.Repeat("x", 8<<10))
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := 0
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(poll.Patience))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err) // longer than any bound
		}
		res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable {
			refused++
		}
	}
	if refused < 36 {
		t.Errorf("%d of 40 long bodies of one address were refused", refused)
	}
}

// A connection that sent both Content-Length and Transfer-Encoding is not used
// again (RFC 9112 §6.1).
func TestTransferEncodingWithContentLength(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	res, err := raw(t, s, "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"+ //nolint:bodyclose // raw closes it
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n")
	if err != nil || res.StatusCode != 400 || !res.Close {
		t.Errorf("%v %v", res, err)
	}
}

// The log has the names of methods, not what a caller invents.
func TestMethodInTheLog(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	invented := strings.Repeat("A", 6<<10)
	res, err := raw(t, s, invented+" /oauth/token HTTP/1.1\r\nHost: x\r\n\r\n") //nolint:bodyclose // raw closes it
	if err != nil || res.StatusCode != 405 {
		t.Errorf("%v %v", res, err)
	}
	if logs := s.Logs.String(); strings.Contains(logs, "AAAA") || !strings.Contains(logs, `"method":"other"`) {
		t.Error("the log has the method")
	}
}

// Readiness is checked once a second at most, however many ask.
func TestReadinessIsShared(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(edits(func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" }))
		begun := time.Now()
		for range 200 {
			res, err := http.Get(s.URL + "/readyz")
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("%v %v", res, err)
			}
			res.Body.Close()
		}
		most := int(time.Since(begun)/time.Second) + 2
		for line := range strings.Lines(metricsOf(t, s)) {
			var n int
			if _, err := fmt.Sscanf(line, `grantd_store_operation_duration_seconds_count{operation="Ping",result="ok"} %d`, &n); err == nil && n > most {
				t.Errorf("%d checks of the store, want at most %d", n, most)
			}
		}
	})
}

// An address that the proxy could not name is on no list, even if the proxy's own
// address is.
func TestUnreadableAddressIsOnNoList(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, edits(limited(0, 0)))
	c := s.NewClient(t, "billing", "users:read", func(c *clients.NewSpec) { c.SourceIPs = &[]string{"127.0.0.0/8"} })
	right := attempt{id: "billing", secret: c.ClientSecret}
	want(t, s, 200, right, "the proxy itself")
	for _, from := range []string{"203.0.113.9", "203.0.113.9:38792", "[2001:db8::5]:443", "unknown", "_hidden", "203.0.113.9, garbage, 127.1.2.3", ","} {
		right.from = from
		want(t, s, 401, right, from)
	}
	if !strings.Contains(s.Logs.String(), `"address":"unknown"`) {
		t.Error("the log does not say that the address is unknown")
	}
}

// A request that cannot begin gets 503 with Retry-After; health is still reported.
func TestRequestsInProgress(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	const network = 1024 / 4
	held := make([]net.Conn, network)
	for i := range held {
		held[i] = dialFrom(t, s, "127.0.0.6")
		_, _ = io.WriteString(held[i], "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n")
	}
	one := func(path string) (status int, after string) {
		c := dialFrom(t, s, "127.0.0.6")
		defer c.Close()
		_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(poll.Patience))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode, res.Header.Get("Retry-After")
	}
	poll.AwaitTrue(t, poll.Patience, "requests of the network are refused", func() bool {
		status, after := one("/.well-known/oauth-authorization-server")
		return status == 503 && after != ""
	})
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, _ := one(path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
	want(t, s, 401, attempt{id: "a", secret: "b"}, "another network")
}

// A peer cannot fill the memory with a ClientHello, and one whose first request over
// TLS has a long body is served.
func TestBytesOfTheHandshake(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	s := harness.Start(t, edits(withTLS(cert, key)))
	c := dialFrom(t, s, "127.0.0.1")
	_ = c.SetDeadline(time.Now().Add(poll.Patience))
	record := append([]byte{22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xf0}, make([]byte, 16<<10-4)...) // a ClientHello of 65,520 bytes
	_, _ = c.Write(record)
	if n, err := io.Copy(io.Discard, c); err != nil && n > 100 {
		t.Errorf("%d bytes, %v", n, err)
	}
	res, err := insecure().Post(s.URL+"/oauth/token", "application/x-www-form-urlencoded", strings.NewReader(strings.Repeat("x", 60<<10)))
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
	http1 := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}}}
	res, err = http1.Post(s.URL+"/oauth/token", "application/x-www-form-urlencoded", strings.NewReader(strings.Repeat("x", 60<<10)))
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
}

// JSON that is nested much too deep costs next to nothing.
func TestDeepJSON(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	deep := `{"data":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`
	for path, mediaType := range map[string]string{"/customers/1/token": "application/vnd.api+json", "/partners/token": "application/vnd.api+json", "/oauth/token": "application/json"} {
		res, err := http.Post(s.URL+path, mediaType, strings.NewReader(deep))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}
