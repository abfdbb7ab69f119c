package gateways

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/gateway"
)

// asked: what the decider gets states the request, and has nothing else from the caller:
// no body, no cookie, no lie.
func (c *cases) asked(t *testing.T) {
	var questions []*http.Request
	var bodies int64
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		bodies += n
		questions = append(questions, r)
		for _, name := range []string{"Client-Id", "Scope", "Token-Use", "Customer-Id", "Org-Id", "Partner-Id"} {
			w.Header().Set("X-Auth-"+name, "") // as grantd does: Caddy would copy the name of a placeholder
		}
		w.Header().Set("X-Auth-Subject", "client:shop")
	}))
	defer func() {
		c.lead(c.asks)
		stub.Close()
	}()
	c.lead(addressOf(stub.URL))
	c.check(t, row{
		"asked", request{method: http.MethodPut, path: "/c%61rds/12?a=%2f", token: c.good, body: 1000, lines: append([]string{"Cookie: session=1"}, lies...)},
		200, "", map[string]string{"Subject": "client:shop"},
	})
	if len(questions) != 1 {
		t.Fatalf("asked %d times", len(questions))
	}
	q := questions[0]
	if path := q.URL.Path; path != gateway.Path && !strings.HasPrefix(path, gateway.PathEnvoy) {
		t.Errorf("asked %s", q.RequestURI)
	}
	if bodies > 0 || q.ContentLength > 0 || len(q.TransferEncoding) > 0 {
		t.Errorf("the question has a body: %d bytes, Content-Length %d, Transfer-Encoding %v", bodies, q.ContentLength, q.TransferEncoding)
	}
	if q.Header.Get("Cookie") != "" || !slices.Equal(q.Header["Authorization"], []string{"Bearer " + c.good}) {
		t.Errorf("credentials: %v %v", q.Header["Cookie"], q.Header["Authorization"])
	}
	for name, values := range q.Header {
		if strings.Contains(fmt.Sprint(values), forged) {
			t.Errorf("%s: %v", name, values)
		}
	}
	if got := stated(c.family, q); got != [3]string{http.MethodPut, "/c%61rds/12?a=%2f", here} {
		t.Errorf("stated: %q", got)
	}
}

// stated returns the method, the URI and the address that a question states.
func stated(family gateway.Family, q *http.Request) [3]string {
	addresses := strings.Join(q.Header["X-Forwarded-For"], ", ")
	last := addresses[strings.LastIndexByte(addresses, ' ')+1:]
	if rest, ok := strings.CutPrefix(q.RequestURI, gateway.PathEnvoy); ok {
		_, uri, _ := strings.Cut(rest, "/")
		return [3]string{q.Method, "/" + uri, last}
	}
	if family == gateway.Originals {
		return [3]string{q.Header.Get("X-Original-Method"), q.Header.Get("X-Original-Uri"), q.Header.Get("X-Real-Ip")}
	}
	return [3]string{q.Header.Get("X-Forwarded-Method"), q.Header.Get("X-Forwarded-Uri"), last}
}
