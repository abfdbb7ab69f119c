package web

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/logbuf"
)

// Event is the access event of a request. It is made when the request arrives,
// filled while the request is handled, and logged once. It never holds a token,
// a secret, a query or a body.
type Event struct {
	RequestID      string
	ClientID       string // authenticated, unless Claim says that it is only claimed
	Claim          Claim
	SecretID       string    // of a refused client the one that it presented, right or wrong
	SecretRight    bool      // a refused client presented a secret that is, or was, right
	EndedAt        time.Time // when the secret or token ended that was presented
	VoidOf         string    // the principal whose void ended the token
	Scope          string    // the scope that was refused, or that a bearer token lacks
	OldSecret      bool      // the secret has a newer replacement
	TokenID        string    // jti of a token that was issued, introspected or revoked
	Verdict        Verdict   // introspection
	Note           string    // a constant that an operator should see
	Actor          string    // admin
	PartnerID      string    // of the partner token that was presented
	PartnerTokenID string
	OrgID          string // the org that a partner wants to act for
	CustomerID     string // of a refused request: whose codes or tokens they are
	Origin         string // of the web page that must not call
	Limit          string // the limit that refuses the request
	TraceID        string // of the trace that the request belongs to
	Error          string
	Description    string // of a malformed request; a constant
	Cause          error
	Stack          string
}

// Verdict is the result of an introspection.
type Verdict byte

// The verdicts. The zero value is for requests other than introspection.
const (
	Active Verdict = iota + 1
	Inactive
)

// Claim says that a client id was only claimed: its authentication was refused.
type Claim byte

// The claims. The zero value is for a client that authenticated.
const (
	ClaimUnchecked Claim = iota + 1 // refused before it was looked up
	ClaimKnown
	ClaimUnknown
)

// EventOf returns the event of the request.
func EventOf(c *gin.Context) *Event { return &exchangeOf(c).event }

// NoteEnd notes why a token that was presented is not active: its jti, what ended it,
// and when.
func (e *Event) NoteEnd(jti, voidOf string, at time.Time) {
	e.TokenID, e.VoidOf, e.EndedAt = jti, voidOf, at
}

// line is an access event with the rest of its log line.
type line struct {
	*Event
	method  string
	route   string
	status  int
	took    time.Duration
	address netip.Addr
	unknown bool // the address
	quiet   bool // see Options.Quiet
	gateway bool // see ForGateway
}

// field is a text that is logged unless it is empty.
type field struct{ key, value string }

func (l *line) fields() [17]field {
	return [...]field{
		{"client_id", l.ClientID}, {"secret_id", l.SecretID}, {"jti", l.TokenID},
		{"partner_id", l.PartnerID}, {"partner_token_id", l.PartnerTokenID}, {"org_id", l.OrgID},
		{"customer_id", l.CustomerID}, {"origin", l.Origin}, {"limit", l.Limit},
		{"actor", l.Actor}, {"scope", l.Scope}, {"void_of", l.VoidOf}, {"note", l.Note}, {"error", l.Error},
		{"error_description", l.Description}, {"stack", l.Stack}, {"trace_id", l.TraceID},
	}
}

func (l *line) level() slog.Level {
	switch {
	case l.status >= 500:
		return slog.LevelError
	case l.quiet && l.status < 300:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// write logs the line, to lines in the form of slog's JSON handler, or through log
// if lines is nil.
func (l *line) write(c *gin.Context, log *slog.Logger, lines *logbuf.Writer, at time.Time) {
	ctx := c.Request.Context()
	switch {
	case !log.Enabled(ctx, l.level()):
	case lines == nil:
		log.LogAttrs(ctx, l.level(), "request", l.attrs()...)
	default:
		lines.Hold(l.level() > slog.LevelInfo, func(b []byte) []byte { return l.append(b, at) })
	}
}

// append appends the line as JSON, with the fields of attrs in the same order.
func (l *line) append(b []byte, at time.Time) []byte {
	b = append(b, `{"time":"`...)
	b = at.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"`...)
	b = append(b, l.level().String()...)
	b = append(b, `","msg":"request","request_id":`...)
	b = AppendString(b, l.RequestID)
	b = append(b, `,"method":`...)
	b = AppendString(b, l.method)
	b = append(b, `,"route":`...)
	b = AppendString(b, l.route)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(l.status), 10)
	b = append(b, `,"duration_us":`...)
	b = strconv.AppendInt(b, l.took.Microseconds(), 10)
	b = append(b, `,"address":"`...)
	switch {
	case l.unknown:
		b = append(b, unknownAddress...)
	case l.address.IsValid():
		b = l.address.AppendTo(b)
	}
	b = append(b, '"')
	for _, f := range l.fields() {
		if f.value != "" {
			b = append(b, `,"`...)
			b = append(b, f.key...)
			b = append(b, `":`...)
			b = AppendString(b, f.value)
		}
	}
	if l.OldSecret {
		b = append(b, `,"old_secret":true`...)
	}
	if l.Claim != 0 {
		b = append(b, `,"client_known":`...)
		b = append(b, claimWords[l.Claim]...)
	}
	if l.SecretRight {
		b = append(b, `,"secret_right":true`...)
	}
	if !l.EndedAt.IsZero() {
		b = append(b, `,"ended_at":"`...)
		b = append(l.EndedAt.UTC().AppendFormat(b, time.RFC3339Nano), '"')
	}
	if l.Verdict != 0 {
		b = append(b, `,"active":`...)
		b = strconv.AppendBool(b, l.Verdict == Active)
	}
	if l.Cause != nil {
		b = append(b, `,"cause":`...)
		b = AppendString(b, l.Cause.Error())
	}
	return append(b, "}\n"...)
}

func (l *line) attrs() []slog.Attr {
	address := ""
	switch {
	case l.unknown:
		address = unknownAddress
	case l.address.IsValid():
		address = l.address.String()
	}
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("request_id", l.RequestID),
		slog.String("method", l.method),
		slog.String("route", l.route),
		slog.Int("status", l.status),
		slog.Int64("duration_us", l.took.Microseconds()),
		slog.String("address", address))
	for _, f := range l.fields() {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	if l.OldSecret {
		attrs = append(attrs, slog.Bool("old_secret", true))
	}
	if l.Claim != 0 {
		attrs = append(attrs, slog.Any("client_known", json.RawMessage(claimWords[l.Claim])))
	}
	if l.SecretRight {
		attrs = append(attrs, slog.Bool("secret_right", true))
	}
	if !l.EndedAt.IsZero() {
		attrs = append(attrs, slog.Time("ended_at", l.EndedAt.UTC()))
	}
	if l.Verdict != 0 {
		attrs = append(attrs, slog.Bool("active", l.Verdict == Active))
	}
	if l.Cause != nil {
		attrs = append(attrs, slog.String("cause", l.Cause.Error()))
	}
	return attrs
}

// claimWords are the values of client_known.
var claimWords = [...]string{ClaimUnchecked: "null", ClaimKnown: "true", ClaimUnknown: "false"}

// method returns the name of a method of RFC 9110 or RFC 5789, and "other" for
// what else a caller sends: it may be long.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	}
	return "other"
}

// route returns the template of the request's path.
func route(c *gin.Context) string {
	if path := c.FullPath(); path != "" {
		return path
	}
	return "unmatched"
}
