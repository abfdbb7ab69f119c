package gateways

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// caseHeader names the request, so that what reaches the API is found again.
const caseHeader = "X-Case"

// api is the API behind a gateway. It records what reaches it.
type api struct {
	address string

	mu   sync.Mutex
	seen map[string]arrived
}

// arrived is a request that reached the API.
type arrived struct {
	method, uri, host string
	header            http.Header
	body              int64 // bytes
	times             int
}

func newAPI(t testing.TB) *api {
	t.Helper()
	a := &api{seen: map[string]arrived{}}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	a.address = strings.TrimPrefix(s.URL, "http://")
	return a
}

// ServeHTTP records the request, and sends back what comes after an upgrade.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	id := r.Header.Get(caseHeader)
	a.mu.Lock()
	a.seen[id] = arrived{method: r.Method, uri: r.RequestURI, host: r.Host, header: r.Header.Clone(), body: n, times: a.seen[id].times + 1}
	a.mu.Unlock()
	if r.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") || !r.ProtoAtLeast(1, 1) {
		_, _ = io.WriteString(w, "served")
		return
	}
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	// The accept key is that of RFC 6455 §1.3, whose request the test sends.
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_, _ = io.Copy(c, buffered)
}

// got returns the request that reached the API with this name.
func (a *api) got(id string) (arrived, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.seen[id]
	return r, ok
}
