package web

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
)

// Body is an answer that is appended to: memory that is used again.
type Body struct{ B []byte }

// largestKept keeps one huge answer from holding its memory for ever.
const largestKept = 16 << 10

var bodies = sync.Pool{New: func() any { return &Body{B: make([]byte, 0, 1024)} }}

// NewBody answers an empty Body; Send takes it back.
func NewBody() *Body {
	return bodies.Get().(*Body)
}

// Send answers the body as application/json. The body is not to be used
// afterwards.
func Send(c *gin.Context, status int, body *Body) { sendAs(c, typeJSON, status, body) }

func sendAs(c *gin.Context, mediaType []string, status int, body *Body) {
	c.Writer.Header()["Content-Type"] = mediaType
	c.Writer.WriteHeader(status)
	if _, err := c.Writer.Write(body.B); err != nil && EventOf(c).Cause == nil {
		EventOf(c).Cause = err // the caller has gone
	}
	if cap(body.B) <= largestKept {
		body.B = body.B[:0]
		bodies.Put(body)
	}
}

// JSON answers v as application/json. Answers of the hot paths append theirs
// to a Body instead.
func JSON(c *gin.Context, status int, v any) {
	encoded, err := json.Marshal(v)
	if err != nil {
		EventOf(c).Cause = err
		status, encoded = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	body := NewBody()
	body.B = append(body.B, encoded...)
	Send(c, status, body)
}

// AppendString appends s as a JSON string: as it is if nothing in it needs an
// escape, and as encoding/json has it otherwise.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always has a form
				quoted = []byte(`""`)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// AppendStrings appends the list as a JSON array of strings.
func AppendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, s)
	}
	return append(b, ']')
}
