package traces

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/grantd/grantd/server/signedpost"
)

// pathTraces is where collectors take traces unless told otherwise.
const pathTraces = "/v1/traces"

// exporter sends spans as OTLP in JSON. The exporters of OpenTelemetry need gRPC and
// protobuf, which are as big as the rest of what grantd needs for HTTP.
type exporter struct {
	url     string
	headers http.Header
	client  *http.Client
	log     *slog.Logger
	sent    func(int, error)
	failing bool // only the one goroutine of the queue uses it
}

func newExporter(o Options) *exporter {
	e := &exporter{url: o.Endpoint, headers: o.Headers, log: o.Log, sent: o.Sent}
	if u, err := url.Parse(o.Endpoint); err == nil && (u.Path == "" || u.Path == "/") {
		u.Path = pathTraces
		e.url = u.String()
	}
	e.client = &http.Client{
		Transport: cmp.Or[http.RoundTripper](o.Transport, http.DefaultTransport.(*http.Transport).Clone()),
		Timeout:   sendWithin,
		// The headers are for this collector only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e
}

// ExportSpans sends the spans once. What fails is dropped: it is logged when that
// begins and when it is over. It never returns an error, which OpenTelemetry would
// print.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.send(ctx, spans)
	e.sent(len(spans), err)
	switch {
	case err != nil && !e.failing:
		e.log.WarnContext(ctx, "traces: the collector takes no spans, so they are dropped: check traces.endpoint and traces.headers_file", "error", err)
	case err == nil && e.failing:
		e.log.InfoContext(ctx, "traces: the collector takes spans again")
	}
	e.failing = err != nil
	return nil
}

// Shutdown closes the connections.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) send(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	body, err := json.Marshal(encode(spans))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("traces.endpoint cannot be called")
	}
	for name, values := range e.headers {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := e.client.Do(req)
	if err != nil {
		// net/http's text has the URL, whose query may hold a key.
		return errors.New(signedpost.ExplainNoResponse(err).Why)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// The messages of OTLP as JSON: ids in hexadecimal, 64-bit integers as text.
type (
	request struct {
		Resources []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource struct {
			Attributes []keyValue `json:"attributes"`
		} `json:"resource"`
		Scopes []scopeSpans `json:"scopeSpans"`
	}
	scopeSpans struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []spanData `json:"spans"`
	}
	spanData struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		ParentID   string     `json:"parentSpanId,omitempty"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Status     status     `json:"status"`
	}
	status struct {
		Code int `json:"code,omitempty"`
	}
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string `json:"stringValue,omitempty"`
		Int    string  `json:"intValue,omitempty"`
	}
)

// statusError is the code of a failed span in OTLP; OpenTelemetry's has another value.
const statusError = 2

// encode returns the message for the spans, which all have the resource and the scope
// of New.
func encode(spans []sdktrace.ReadOnlySpan) request {
	if len(spans) == 0 {
		return request{Resources: []resourceSpans{}}
	}
	var scope scopeSpans
	scope.Scope.Name = spans[0].InstrumentationScope().Name
	for _, s := range spans {
		d := spanData{
			TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
			Name: s.Name(), Kind: int(s.SpanKind()),
			Start: nanos(s.StartTime()), End: nanos(s.EndTime()), Attributes: attributes(s.Attributes()),
		}
		if s.Parent().HasSpanID() {
			d.ParentID = s.Parent().SpanID().String()
		}
		if s.Status().Code == codes.Error {
			d.Status.Code = statusError
		}
		scope.Spans = append(scope.Spans, d)
	}
	r := resourceSpans{Scopes: []scopeSpans{scope}}
	r.Resource.Attributes = attributes(spans[0].Resource().Attributes())
	return request{Resources: []resourceSpans{r}}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func attributes(list []attribute.KeyValue) []keyValue {
	var all []keyValue
	for _, a := range list {
		kv := keyValue{Key: string(a.Key)}
		if a.Value.Type() == attribute.INT64 {
			kv.Value.Int = strconv.FormatInt(a.Value.AsInt64(), 10)
		} else {
			text := a.Value.String()
			kv.Value.String = &text
		}
		all = append(all, kv)
	}
	return all
}
