package traces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

const (
	queued     = 2048 // spans that wait to be sent; more are dropped
	sentAtOnce = 512
	sentEvery  = 2 * time.Second
	// sendWithin bounds one request to the collector, and Stop.
	sendWithin = 3 * time.Second
)

// Options say where spans go.
type Options struct {
	Endpoint string // URL of the collector; without a path, /v1/traces is added
	OneIn    int    // of so many traces, one is recorded
	Headers  http.Header
	Version  string // of grantd
	Instance string // of this process
	Log      *slog.Logger
	// Sent is called with the number of spans of each request to the collector, and
	// whether that failed.
	Sent func(spans int, err error)
	// Transport replaces the usual one; for tests.
	Transport http.RoundTripper
}

// Tracer makes spans. Safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// New returns a Tracer. Nothing is sent before there are spans. Stop ends it.
func New(o Options) *Tracer {
	// A caller decides that its trace is not recorded. That it is to be recorded is
	// not for strangers to decide: the ratio is for all.
	ratio := sdktrace.TraceIDRatioBased(1 / float64(max(1, o.OneIn)))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(ratio, sdktrace.WithRemoteParentSampled(ratio))),
		sdktrace.WithBatcher(newExporter(o), sdktrace.WithMaxQueueSize(queued), sdktrace.WithMaxExportBatchSize(sentAtOnce),
			sdktrace.WithBatchTimeout(sentEvery), sdktrace.WithExportTimeout(sendWithin)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "grantd"),
			attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Instance))),
	)
	return &Tracer{provider, provider.Tracer("github.com/grantd/grantd")}
}

// Stop sends what is queued. It takes some seconds at most.
func (t *Tracer) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("traces: %w", err)
	}
	return nil
}

// Requests returns what begins the spans of the requests to a listener.
func (t *Tracer) Requests(listener string) web.Trace {
	name := attribute.String("grantd.listener", listener)
	return func(ctx context.Context, p web.Parent) (context.Context, web.Span) {
		if p != (web.Parent{}) {
			ctx = trace.ContextWithRemoteSpanContext(ctx, remote(p))
		}
		ctx, s := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(name))
		return ctx, span{s}
	}
}

// remote returns the parent as OpenTelemetry has it.
func remote(p web.Parent) trace.SpanContext {
	id, _ := trace.TraceIDFromHex(p.TraceID) // web has checked them
	spanID, _ := trace.SpanIDFromHex(p.SpanID)
	return trace.SpanContext{}.WithTraceID(id).WithSpanID(spanID).WithRemote(true).
		WithTraceFlags(trace.TraceFlags(0).WithSampled(p.Sampled))
}

// span is the span of a request.
type span struct{ span trace.Span }

// TraceID returns the id of the trace; "" if it is not recorded.
func (s span) TraceID() string {
	if !s.span.IsRecording() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// End ends the span.
func (s span) End(e web.Ended) {
	if s.span.IsRecording() {
		s.span.SetName(e.Method + " " + e.Route)
		s.span.SetAttributes(attribute.String("http.request.method", e.Method), attribute.String("http.route", e.Route),
			attribute.Int("http.response.status_code", e.Status), attribute.String("grantd.request_id", e.RequestID))
		if e.Error != "" {
			s.span.SetAttributes(attribute.String("error.type", e.Error))
		}
		if e.Status >= http.StatusInternalServerError {
			s.span.SetStatus(codes.Error, "")
		}
	}
	s.span.End()
}

// Store returns s with a span for each operation that a recorded request makes.
func (t *Tracer) Store(s store.Store) store.Store { return store.Intercept(s, operations{t.tracer}) }

// operations is the hook of a traced store.
type operations struct{ tracer trace.Tracer }

// Before begins the span; nil: the operation is not part of a recorded request.
func (o operations) Before(ctx context.Context, operation string) (trace.Span, error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return nil, nil
	}
	_, s := o.tracer.Start(ctx, "store "+operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.operation.name", operation)))
	return s, nil
}

// After ends the span. Errors may hold names and keys: only what kind they are of is
// told.
func (operations) After(_ string, s trace.Span, err error) error {
	if s == nil {
		return err
	}
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		s.SetAttributes(attribute.String("error.type", "canceled"))
	case errors.Is(err, store.ErrUnavailable):
		s.SetAttributes(attribute.String("error.type", string(store.CauseOf(err))))
		s.SetStatus(codes.Error, "")
	default:
		s.SetAttributes(attribute.String("error.type", "refused"))
	}
	s.End()
	return err
}

// ReadHeaders reads lines of the form "Name: value", for example from a file with the
// account for the collector. Empty lines are ignored. Errors hold no value.
func ReadHeaders(text string) (http.Header, error) {
	h, number := http.Header{}, 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); !ok || !isName(name) || value == "" || strings.ContainsFunc(value, isControl) {
			return nil, fmt.Errorf("line %d must be a header such as Authorization: Bearer TOKEN", number)
		}
		h.Add(name, value)
	}
	return h, nil
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
