package web

import (
	"context"
	"strings"

	"github.com/gin-gonic/gin"
)

// Parent is the trace that a caller says its request belongs to (W3C Trace Context,
// header traceparent). The zero value is none.
type Parent struct {
	TraceID string // 32 lowercase hexadecimal digits
	SpanID  string // 16 of them
	Sampled bool   // the caller records the trace
}

// Span is a request in a trace.
type Span interface {
	// TraceID returns the id of the trace; "" if it is not recorded.
	TraceID() string
	// End is called once, with the response.
	End(Ended)
}

// Ended is what a span tells of a request. It holds nothing that a caller sent,
// except an id that looks like a UUID.
type Ended struct {
	Method, Route, RequestID string
	Error                    string // the code; "": none
	Status                   int
}

// Trace begins the span of a request, in the context that it returns.
type Trace func(context.Context, Parent) (context.Context, Span)

const (
	traceIDLen, spanIDLen = 32, 16
	traceparentLen        = 2 + 1 + traceIDLen + 1 + spanIDLen + 1 + 2
)

// parentOf returns the trace in the header. A header that is repeated or malformed
// counts as none.
func parentOf(h map[string][]string) Parent {
	lines := h["Traceparent"]
	if len(lines) != 1 {
		return Parent{}
	}
	return parseTraceparent(lines[0])
}

// trace begins the span of the request. Its trace is the caller's, or a new one.
func (x *exchange) trace(c *gin.Context, begin Trace) {
	ctx, span := begin(c.Request.Context(), x.parent)
	c.Request = c.Request.WithContext(ctx)
	x.span = span
	if x.event.TraceID == "" {
		x.event.TraceID = span.TraceID()
	}
}

// parseTraceparent reads version-traceid-spanid-flags. Versions after 00 may have
// more at the end.
func parseTraceparent(s string) Parent {
	if len(s) < traceparentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return Parent{}
	}
	version, flags := s[:2], s[53:55]
	p := Parent{TraceID: s[3:35], SpanID: s[36:52]}
	switch {
	case !isLowerHex(version), !isLowerHex(flags), !isLowerHex(p.TraceID), !isLowerHex(p.SpanID),
		version == "ff",
		version == "00" && len(s) != traceparentLen,
		len(s) > traceparentLen && s[traceparentLen] != '-',
		strings.Trim(p.TraceID, "0") == "", strings.Trim(p.SpanID, "0") == "":
		return Parent{}
	}
	p.Sampled = strings.IndexByte("13579bdf", flags[1]) >= 0
	return p
}

func isLowerHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
