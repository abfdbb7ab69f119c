package service_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// collector takes OTLP in JSON and keeps everything that it gets.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	raw   strings.Builder
	spans []otlpSpan
}

type otlpSpan struct {
	TraceID    string `json:"traceId"`
	SpanID     string `json:"spanId"`
	ParentID   string `json:"parentSpanId"`
	Name       string `json:"name"`
	Kind       int    `json:"kind"`
	Start      string `json:"startTimeUnixNano"`
	End        string `json:"endTimeUnixNano"`
	Attributes []struct {
		Key   string `json:"key"`
		Value struct {
			String string `json:"stringValue"`
			Int    string `json:"intValue"`
		} `json:"value"`
	} `json:"attributes"`
	Status struct {
		Code int `json:"code"`
	} `json:"status"`
}

func (s otlpSpan) attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String + a.Value.Int
		}
	}
	return ""
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var message struct {
			Resources []struct {
				Resource any `json:"resource"`
				Scopes   []struct {
					Scope any        `json:"scope"`
					Spans []otlpSpan `json:"spans"`
				} `json:"scopeSpans"`
			} `json:"resourceSpans"`
		}
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.DisallowUnknownFields()
		if err != nil || d.Decode(&message) != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("Authorization") != "Bearer of-the-collector" {
			t.Errorf("%s %v: %s", r.URL, r.Header, body)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		fmt.Fprintf(&c.raw, "%s %v\n%s\n", r.URL, r.Header, body)
		for _, resource := range message.Resources {
			for _, scope := range resource.Scopes {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) got() (raw string, spans []otlpSpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String(), append([]otlpSpan(nil), c.spans...)
}

func traced(t *testing.T, c *collector) func(*config.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("Authorization: Bearer of-the-collector\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(cfg *config.Config) {
		cfg.Traces.Endpoint, cfg.Traces.SampleOneIn, cfg.Traces.HeadersFile = c.URL, 1, file
	}
}

const (
	callersTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan   = "00f067aa0ba902b7"
	callersParent = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// withTrace gets a token with a traceparent.
func withTrace(t *testing.T, s *harness.Server, id, secret, parent string) harness.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("traceparent", parent)
	req.Header.Set("baggage", "secret="+secret)
	req.SetBasicAuth(id, secret)
	return harness.Do(t, nil, req)
}

// TestTraces has a request of a traced caller, on each store: the span is part of the
// caller's trace, the operation of the store is part of the span, and nothing that
// was sent is a credential. What is left is sent when the server stops.
func TestTraces(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		c := startCollector(t)
		s := start(edits(traced(t, c)))
		client, rs := s.NewClient(t, "billing-client", "users:read"), s.NewClient(t, "resource-server", "introspect")
		res := withTrace(t, s, client.ClientID, client.ClientSecret, callersParent)
		token, _ := res.JSON(t)["access_token"].(string)
		s.Introspect(t, rs, token)
		s.Form(t, "/oauth/token", client.ClientID, "wrong-secret-of-a-caller", url.Values{"grant_type": {"client_credentials"}})
		s.Form(t, "/"+token+"?code=123456&access_token="+token, "", "", nil)
		s.AdminDo(t, http.MethodPost, "/tokens/explain", map[string]string{"token": token})
		s.AdminDo(t, http.MethodPost, "/clients/billing-client/secrets", map[string]string{"grace": "1h"})
		s.Close()
		raw, spans := c.got()
		var request, stored otlpSpan
		for _, span := range spans {
			if span.TraceID == callersTrace && span.ParentID == callersSpan {
				request = span
			}
		}
		for _, span := range spans {
			if span.ParentID == request.SpanID && span.Name == "store PutToken" {
				stored = span
			}
			if span.End < span.Start || len(span.TraceID) != 32 || len(span.SpanID) != 16 {
				t.Errorf("%+v", span)
			}
		}
		if request.Name != "POST /oauth/token" || request.Kind != 2 || request.attribute("http.response.status_code") != "200" ||
			request.attribute("http.route") != "/oauth/token" || request.attribute("grantd.request_id") != res.Header.Get("X-Request-Id") {
			t.Errorf("the request: %+v", request)
		}
		if stored.TraceID != callersTrace || stored.Kind != 3 {
			t.Errorf("the operation of the store: %+v", stored)
		}
		for _, name := range []string{"POST /oauth/introspect", "POST unmatched", "POST /admin/v1/tokens/explain", "POST /admin/v1/clients/:id/secrets"} {
			if !strings.Contains(raw, `"name":"`+name+`"`) {
				t.Errorf("there is no span %s", name)
			}
		}
		basic := base64.StdEncoding.EncodeToString([]byte(client.ClientID + ":" + client.ClientSecret))
		for _, secret := range []string{token, token[len(token)-20:], client.ClientSecret, rs.ClientSecret, client.SecretID, basic, "wrong-secret", "123456&", "billing-client", "127.0.0.1\"", "grant_type"} {
			if strings.Contains(raw, secret) {
				t.Errorf("the collector got %q", secret)
			}
		}
		if log := s.Logs.String(); !strings.Contains(log, `"trace_id":"`+callersTrace+`"`) || strings.Contains(log, "of-the-collector") {
			t.Error("the log lacks the trace, or has the header of the collector")
		}
	})
}

// TestTraceInTheLog checks that the log has the trace of the caller while traces are
// off, and nothing of a header that is malformed.
func TestTraceInTheLog(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	c := s.NewClient(t, "billing-client", "users:read")
	withTrace(t, s, c.ClientID, c.ClientSecret, callersParent)
	withTrace(t, s, c.ClientID, c.ClientSecret, "00-"+strings.Repeat("ab", 16)+"-"+callersSpan+"-XX")
	log := s.Logs.String()
	if strings.Count(log, `"trace_id"`) != 1 || !strings.Contains(log, `"trace_id":"`+callersTrace+`"`) || strings.Contains(log, "abab") {
		t.Error(log)
	}
}

// TestCollectorIsGone checks that requests are served without a collector, and that
// the log says so once.
func TestCollectorIsGone(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	s := harness.Start(t, edits(traced(t, c), withMetrics))
	c.Close()
	client := s.NewClient(t, "billing-client", "users:read")
	poll.Await(t, poll.Patience, "spans are lost", func() string {
		if s.Token(t, client, "") == "" || scrape(t, s)[`grantd_trace_spans_total{result="failed"}`] == 0 {
			return "none is"
		}
		return ""
	})
	s.Close()
	if n := strings.Count(s.Logs.String(), "traces: the collector takes no spans"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
}
