package web

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

const eventKey = "grantd.event"

// Event is the one access event of a request: made at the top, filled on the
// way, logged once. It never holds a token, a secret, a query or a body.
type Event struct {
	RequestID string
	At        time.Time
	ClientID  string // authenticated
	SecretID  string
	OldSecret bool   // a secret that a newer one replaces was used
	TokenID   string // jti of a token that was issued, introspected or revoked
	Active    *bool  // introspection
	Note      string // something an operator should see; a constant
	Actor     string // admin
	Error     string
	Cause     error
	Stack     string
}

// EventOf answers the event of the request.
func EventOf(c *gin.Context) *Event {
	if v, ok := c.Get(eventKey); ok {
		if ev, ok := v.(*Event); ok {
			return ev
		}
	}
	return &Event{} // a handler outside NewEngine, in a test
}

func (e *Event) log(c *gin.Context, log *slog.Logger, took time.Duration) {
	status := c.Writer.Status()
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("request_id", e.RequestID),
		slog.String("method", c.Request.Method),
		slog.String("route", route(c)),
		slog.Int("status", status),
		slog.Int64("duration_us", took.Microseconds()),
		slog.String("address", AddressString(c)))
	for _, f := range [...]struct{ key, value string }{
		{"client_id", e.ClientID}, {"secret_id", e.SecretID}, {"jti", e.TokenID},
		{"actor", e.Actor}, {"note", e.Note}, {"error", e.Error}, {"stack", e.Stack},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	if e.OldSecret {
		attrs = append(attrs, slog.Bool("old_secret", true))
	}
	if e.Active != nil {
		attrs = append(attrs, slog.Bool("active", *e.Active))
	}
	if e.Cause != nil {
		attrs = append(attrs, slog.String("cause", e.Cause.Error()))
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

// route answers the template of the request's path.
func route(c *gin.Context) string {
	if path := c.FullPath(); path != "" {
		return path
	}
	return "unmatched"
}

// Address answers the caller's address: the peer's, or what a trusted proxy
// says in X-Forwarded-For. The zero Addr on a unix socket.
func Address(c *gin.Context) netip.Addr {
	a, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// AddressString is Address, or "" on a unix socket.
func AddressString(c *gin.Context) string {
	if a := Address(c); a.IsValid() {
		return a.String()
	}
	return ""
}

// requestID keeps a caller's id if it is a UUID or hexadecimal, and makes one
// otherwise: what is kept is logged, so it must not be able to hold a secret.
func requestID(given string) string {
	if len(given) >= 8 && len(given) <= maxIDLen && isHex(given) {
		return given
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
	return hex.EncodeToString(b[:])
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}
