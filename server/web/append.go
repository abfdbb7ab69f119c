package web

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
)

// Body is a response body to append to. Its memory is reused.
type Body struct{ B []byte }

// largestKept is the size of the largest body whose memory is kept, so that a huge
// response does not hold its memory forever.
const largestKept = 16 << 10

var bodies = sync.Pool{New: func() any { return &Body{B: make([]byte, 0, 1024)} }}

// NewBody returns an empty Body. Send takes it back.
func NewBody() *Body {
	return bodies.Get().(*Body)
}

// Send responds with the body as application/json. The body must not be used
// afterward.
func Send(c *gin.Context, status int, body *Body) { SendAs(c, typeJSON, status, body) }

// SendAs is Send with another media type: the value of the header, which is shared.
func SendAs(c *gin.Context, mediaType []string, status int, body *Body) {
	c.Writer.Header()["Content-Type"] = mediaType
	c.Writer.WriteHeader(status)
	if _, err := c.Writer.Write(body.B); err != nil && EventOf(c).Cause == nil {
		EventOf(c).Cause = err // the caller has gone
	}
	body.Drop()
}

// Drop takes back a Body that is not sent. It must not be used afterward.
func (b *Body) Drop() {
	if cap(b.B) <= largestKept {
		b.B = b.B[:0]
		bodies.Put(b)
	}
}

// JSON responds with v as application/json. The hot paths append to a Body
// instead.
func JSON(c *gin.Context, status int, v any) {
	encoded, err := json.Marshal(v)
	if err != nil {
		EventOf(c).Cause = err
		status, encoded = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	if amend := exchangeOf(c).amend; amend != nil && status < http.StatusMultipleChoices {
		status, encoded = amend(status, encoded)
	}
	body := NewBody()
	body.B = append(body.B, encoded...)
	Send(c, status, body)
}

// Amend returns the status and the JSON body to send instead of those of a
// success.
type Amend func(status int, body []byte) (int, []byte)

// AmendJSON has the successes that JSON sends amended.
func AmendJSON(c *gin.Context, amend Amend) { exchangeOf(c).amend = amend }

// AppendString appends s as a JSON string: unchanged if nothing in it needs an
// escape, otherwise as encoding/json writes it.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil { // cannot happen: every string can be encoded
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
